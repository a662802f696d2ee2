// The transactions of the store's file, and a record of what they change.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/journal.h"
#include "store/sqlite/database.h"

struct sqlite3_session;

namespace hearth::store {

class SqliteChangeLog : public ChangeLog {
 public:
  static Result<std::unique_ptr<SqliteChangeLog>> open(Database& database);
  ~SqliteChangeLog() override;

  // Runs `work` as one transaction, unless an earlier one met a disk that failed.
  Result<void> in_transaction(const std::function<Result<void>()>& work);

  const Place& place() const override { return place_; }
  std::int64_t schema() const override { return schema_; }
  Result<std::vector<HubRow>> hubs() override;
  Result<void> save(const Place& place) override;
  Result<void> save(const Place& place, const HubRow& hub, bool remove) override;
  void record(bool on) override { recording_ = on; }
  std::vector<Change> take() override { return std::exchange(taken_, {}); }
  Result<void> apply(const Change& change) override;
  Result<void> copy_to(const std::filesystem::path& file) override;

 private:
  struct EndSession {
    void operator()(sqlite3_session* session) const;
  };
  using Session = std::unique_ptr<sqlite3_session, EndSession>;

  explicit SqliteChangeLog(Database& database) : database_(database) {}
  Result<void> read_place();
  Result<void> run(const std::function<Result<void>()>& work);
  Result<Session> begin_session();
  Result<std::string> end_session(Session session);
  Result<void> write(const Place& place);

  Database& database_;
  Place place_;
  std::int64_t schema_ = 0;
  bool recording_ = false;
  std::vector<Change> taken_;
  std::optional<Error> failure_;  // of the disk: nothing is written any more
};

}  // namespace hearth::store
