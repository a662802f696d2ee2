#include "hub/convert.h"

namespace hearth::hub {

v1::Moment moment(WallTime time) {
  v1::Moment made;
  made.set_unix_millis(time.unix_millis);
  return made;
}

v1::Resources to_proto(const Resources& resources) {
  v1::Resources made;
  made.set_cores(resources.cores);
  made.set_memory_bytes(resources.memory_bytes);
  made.set_gpus(resources.gpus);
  made.set_gpu_memory_bytes(resources.gpu_memory_bytes);
  made.set_disk_bytes(resources.disk_bytes);
  return made;
}

std::optional<Ring> from_proto(v1::Ring ring) {
  const bool is_known = ring >= v1::RING_HOME && ring <= v1::RING_STRANGER;
  return is_known ? std::optional(static_cast<Ring>(ring)) : std::nullopt;
}

Admission from_proto(const google::protobuf::RepeatedPtrField<v1::Admission>& admissions) {
  Admission granted;
  for (const v1::Admission& one : admissions) {
    const std::optional<Ring> ring = from_proto(one.ring());
    if (!ring) continue;
    granted.add(*ring, Right::kRun);
    if (one.host_files()) granted.add(*ring, Right::kHostFiles);
    if (one.gpu()) granted.add(*ring, Right::kGpu);
    if (one.listed_hosts()) granted.add(*ring, Right::kListedHosts);
    if (one.full_network()) granted.add(*ring, Right::kFullNetwork);
    if (one.gang_network()) granted.add(*ring, Right::kGangNetwork);
    if (*ring == Ring::kHome) granted.workspace_bytes = one.workspace_bytes();
  }
  return granted;
}

Resources from_proto(const v1::Resources& resources) {
  return {resources.cores(), resources.memory_bytes(), resources.gpus(), resources.gpu_memory_bytes(),
          resources.disk_bytes()};
}

pool::Attributes attributes_of(const google::protobuf::RepeatedPtrField<v1::Attribute>& told, const std::string& name) {
  pool::Attributes made;
  for (const v1::Attribute& attribute : told) {
    const std::string& key = attribute.name();
    const pool::KnownAttribute* known = pool::find_known_attribute(key);
    const bool is_label = key.starts_with(pool::kLabelPrefix) && key.size() <= pool::kMaxAttributeName;
    const bool is_too_long = attribute.text().size() > pool::kMaxAttributeText;
    if ((known == nullptr && !is_label) || is_too_long || made.size() >= pool::kMaxAttributes) continue;
    pool::AttributeValue value = attribute.flag();
    if (attribute.has_number()) value = attribute.number();
    if (attribute.has_text()) value = attribute.text();
    if (known == nullptr || static_cast<std::size_t>(known->kind) == value.index()) made[key] = std::move(value);
  }
  made["name"] = name;
  return made;
}

v1::AttemptId to_proto(const AttemptId& attempt) {
  v1::AttemptId made;
  made.set_job_id(attempt.task.job.value);
  made.set_task(attempt.task.index);
  made.set_epoch(attempt.epoch);
  return made;
}

AttemptId from_proto(const v1::AttemptId& attempt) { return {{{attempt.job_id()}, attempt.task()}, attempt.epoch()}; }

}  // namespace hearth::hub
