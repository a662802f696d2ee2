#include "harness/failover.h"

#include <algorithm>
#include <array>
#include <iostream>
#include <set>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "harness/api.h"
#include "harness/hubs.h"
#include "harness/proc.h"

namespace hearth::e2e {
namespace {

constexpr int kClient = 3;
constexpr seconds kAtLeastAway{3};  // though nobody may have missed it

const char* name_of(Loss loss) {
  switch (loss) {
    case Loss::kKilled:
      return "killed";
    case Loss::kStandsStill:
      return "stood still";
    case Loss::kCutOff:
      return "cut off";
    case Loss::kPower:
      return "without power";
  }
  return "";
}

Loss loss_of(int round, bool real_network) {
  if (real_network) return static_cast<Loss>(round % 4);
  constexpr std::array kWithoutNetwork = {Loss::kKilled, Loss::kStandsStill, Loss::kPower};
  return kWithoutNetwork[static_cast<std::size_t>(round) % kWithoutNetwork.size()];
}

double seconds_of(milliseconds span) { return static_cast<double>(span.count()) / 1000; }

void check_jobs(Api& api, const Load& load, std::uint64_t steady) {
  const std::set<std::uint64_t> distinct(load.acknowledged().begin(), load.acknowledged().end());
  EXPECT_EQ(distinct.size(), load.acknowledged().size()) << "two requests were given one job";
  EXPECT_EQ(all_jobs(api).size(), distinct.size() + 1) << "what was acknowledged is there, once";
  for (const std::uint64_t id : distinct) expect_finished_once(api, id);
  const v1::Job survived = api.wait(steady, seconds(300));
  EXPECT_EQ(survived.state(), v1::JOB_STATE_SUCCEEDED) << survived.DebugString();
  const v1::Task task = api.get(steady, 1).tasks(0);
  EXPECT_EQ(task.attempts(), 1U) << "it was started again though its node went on";
  EXPECT_EQ(api.log_text(task.outcome()), "survived\n");
}

}  // namespace

FailoverFixture::FailoverFixture() : network_(kClient + 1) {
  for (const char* name : {"kitchen", "attic", "cellar"}) pcs_.push_back(&add_pool(name));
  for (int i = 0; i < kClient; ++i) pc(i).set_network(network_.space(i));
  network_.enter(kClient);
}

void FailoverFixture::up(int number, std::vector<std::string> options) {
  const std::vector<std::string> common = {"up", "--address", network_.address(number), "--port", "0", "--no-invite"};
  options.insert(options.begin(), common.begin(), common.end());
  const Ended ended = pc(number).cli(options);
  ASSERT_EQ(ended.exit_code, 0) << ended.err << read_text(pc(number).home() / "log");
}

std::vector<pid_t> FailoverFixture::processes(int number) const {
  const pid_t supervisor = pcs_[static_cast<std::size_t>(number)]->supervisor();
  return supervisor == 0 ? std::vector<pid_t>() : with_descendants(supervisor);
}

void FailoverFixture::lose(Recipe& recipe, int lost, Loss loss) {
  if (loss == Loss::kCutOff) return network_.cut(lost);
  const pid_t supervisor = pc(lost).supervisor();
  ::kill(supervisor, SIGSTOP);  // so that nothing is started again meanwhile
  if (loss == Loss::kKilled) {
    still_ = {supervisor};
    ::kill(pc(lost).hub_process(), SIGKILL);
    return recipe.lose_servers(lost);
  }
  std::vector<pid_t> all = processes(lost);
  if (loss == Loss::kPower) {
    for (const pid_t process : all) ::kill(process, SIGKILL);
    return recipe.lose_servers(lost);
  }
  const std::vector<pid_t> servers = recipe.servers(lost);
  all.insert(all.end(), servers.begin(), servers.end());
  for (const pid_t process : all) ::kill(process, SIGSTOP);
  still_ = all;
}

void FailoverFixture::bring_back(Recipe& recipe, int lost, Loss loss) {
  network_.mend(lost);
  for (const pid_t process : still_) ::kill(process, SIGCONT);
  still_.clear();
  recipe.come_back(lost, loss);
  // Whether it came up is seen by the whole; the command itself waits for no longer than 20 s.
  if (loss == Loss::kPower) static_cast<void>(pc(lost).cli({"up"}, {.limit = seconds(120)}));
}

std::string FailoverFixture::all_logs(const Recipe& recipe) const {
  std::string text = recipe.logs();
  for (const Pool* each : pcs_) text += "--- " + each->home().string() + "\n" + read_text(each->home() / "log");
  return text;
}

void FailoverFixture::lose_again_and_again(Recipe& recipe, const std::string& name, int times) {
  const int wanted = kills(times);
  ASSERT_TRUE(eventually(seconds(90), [&] { return recipe.is_whole(); })) << all_logs(recipe);
  Api api(pc(1));
  v1::JobSpec spec = shell(fmt::format("sleep {}; echo survived", 30 + wanted * 10));
  spec.set_where("name == 'cellar'");
  const auto steady = api.submit(spec);
  ASSERT_TRUE(steady) << text_of(steady.error());
  api.wait_until_running(*steady);
  Load load(pc(1));
  std::vector<milliseconds> outages;
  for (int round = 0; round < wanted; ++round) {
    pause_for(seconds(2));
    const Loss loss = loss_of(round, network_.real());
    const int lost = recipe.holder();
    ASSERT_GE(lost, 0) << all_logs(recipe);
    const auto begun = std::chrono::steady_clock::now();
    lose(recipe, lost, loss);
    const auto gone = std::chrono::steady_clock::now();
    recipe.take_over(lost);
    // One may have been on its way.
    const bool goes_on = eventually(seconds(120), [&] { return load.acknowledged_since(gone) >= 3; });
    std::this_thread::sleep_until(begun + kAtLeastAway);
    outages.push_back(load.outage_since(begun));
    std::cout << fmt::format("{}: {} {}, {:.1f} s\n", name, pc(lost).home().parent_path().filename().string(),
                             name_of(loss), seconds_of(outages.back()))
              << std::flush;
    ASSERT_TRUE(goes_on) << all_logs(recipe);
    bring_back(recipe, lost, loss);
    // One that stood still believes for a moment that it holds the pool, and that all is well.
    ASSERT_TRUE(eventually(seconds(120), [&] { return stands_by(pc(lost)) && recipe.is_whole(); })) << all_logs(recipe);
  }
  load.stop();
  EXPECT_GT(load.repeated(), 0) << "no hub was ever away when a job was submitted: nothing was tested";
  check_jobs(api, load, *steady);
  std::ranges::sort(outages);
  std::cout << fmt::format("{}: kills={} outage_p50_s={:.1f} outage_max_s={:.1f} jobs={} repeated={}\n", name, wanted,
                           seconds_of(outages[outages.size() / 2]), seconds_of(outages.back()),
                           load.acknowledged().size(), load.repeated());
}

}  // namespace hearth::e2e
