// The scripts in check_scripts/*.txt, one test each, and random histories against a naive model.
#include "broker/check_schedule.hpp"

#include "tests/broker/check_script.hpp"
#include "tests/broker/random_log.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

namespace holdfast::broker {
namespace {

std::vector<std::string> script_names() {
    std::vector<std::string> names;
    for (const auto& file : std::filesystem::directory_iterator{CHECK_SCRIPTS})
        names.push_back(file.path().stem().string());
    std::sort(names.begin(), names.end());
    return names;
}

class check_script : public ::testing::TestWithParam<std::string> {};

TEST_P(check_script, runs_as_written) {
    std::ifstream file{std::filesystem::path{CHECK_SCRIPTS} / (GetParam() + ".txt")};
    const std::string script{std::istreambuf_iterator<char>{file}, {}};
    ASSERT_FALSE(script.empty());
    const auto run = testing::run_check_script(script);
    EXPECT_EQ(run, script) << "as it really runs:\n" << run;
}

INSTANTIATE_TEST_SUITE_P(scripts, check_script, ::testing::ValuesIn(script_names()),
                         [](const auto& script) { return script.param; });

// What the rules say of one half, in the plainest way: it has a time, or it waits for a producer.
struct modelled_half {
    half_message half;
    timestamp_ms due;
    bool awaits = false;
};

class random_checks {
  public:
    explicit random_checks(std::uint64_t seed) : random_(seed) {}

    void run() {
        for (int round = 0; round < 400; ++round) {
            now_ += random_.below(2'000);
            store();
            decide();
            come_and_go();
            tick(random_.one_in(3) ? everything : 1 + random_.below(8));
        }
        // In the end every producer is there, nothing fails and nobody decides: all are asked as often as the
        // rules say, and given up once.
        some_fail_ = false;
        for (const auto& group : names_)
            join(group);
        for (std::uint32_t round = 0; round <= rules_.most_checks + 2; ++round) {
            now_ += rules_.interval.count() + rules_.timeout.count() + longest_immunity_ms;
            tick(everything);
        }
        EXPECT_TRUE(halves_.empty());
        EXPECT_EQ(schedule_.awaiting(), 0U);
    }

  private:
    static constexpr std::size_t everything = 1'000'000;
    static constexpr int longest_immunity_ms = 20'000;

    std::string any_group() { return names_[random_.below(static_cast<std::uint32_t>(names_.size()))]; }

    void store() {
        for (auto count = random_.below(4); count > 0; --count) {
            half_message half;
            half.position = log_position{next_position_ += 100};
            half.stored = now_ - random_.below(10'000);
            if (random_.one_in(3))
                half.immunity_ms = static_cast<std::int32_t>(random_.below(longest_immunity_ms));
            if (random_.one_in(5)) {
                half.checks = static_cast<std::uint16_t>(1 + random_.below(rules_.most_checks));
                half.last_checked = now_ - random_.below(5'000);
            }
            half.group = std::make_shared<const std::string>(any_group());
            const auto first =
                half.stored + (half.immunity_ms >= 0 ? half.immunity_ms : rules_.timeout.count());
            halves_[half.position] = {half,
                                      half.checks > 0 ? half.last_checked + rules_.interval.count() : first};
            schedule_.add(half);
        }
    }

    void decide() {
        for (auto at = halves_.begin(); at != halves_.end();)
            at = random_.one_in(20) ? halves_.erase(at) : std::next(at);
    }

    void join(const std::string& group) {
        if (present_.insert(group).second)
            schedule_.joined(group);
    }

    void come_and_go() {
        if (random_.one_in(4))
            join(any_group());
        if (random_.one_in(4))
            present_.erase(any_group());
    }

    void tick(std::size_t most) {
        const auto taken = schedule_.take_due(now_, most);
        ASSERT_LE(taken.size(), most);
        std::set<log_position> seen;
        for (const auto position : taken) {
            ASSERT_TRUE(seen.insert(position).second) << "taken twice";
            if (const auto found = halves_.find(position); found != halves_.end())
                look_at(found->second);
        }
        if (most != everything)
            return;
        for (const auto& [position, known] : halves_)
            EXPECT_TRUE(seen.contains(position) ||
                        (known.awaits ? !present_.contains(*known.half.group) : known.due > now_))
                << "the half at " << position << " was forgotten";
    }

    void look_at(modelled_half& known) {
        auto& half = known.half;
        EXPECT_TRUE(known.awaits || known.due <= now_) << "too early";
        const bool has_producer = present_.contains(*half.group);
        if (schedule_.judge(half) == check_schedule::task::give_up) {
            EXPECT_EQ(half.checks, rules_.most_checks);
            const auto position = half.position;
            halves_.erase(position);
            return schedule_.rest(position, now_);
        }
        EXPECT_LT(half.checks, rules_.most_checks);
        known.awaits = !has_producer;
        if (!has_producer)
            return schedule_.await(half, now_);
        if (!some_fail_ || !random_.one_in(5)) { // else it could not be sent
            ++half.checks;
            half.last_checked = now_;
        }
        known.due = now_ + rules_.interval.count();
        schedule_.rest(half.position, now_);
    }

    testing::random_source random_;
    const check_rules rules_{std::chrono::milliseconds{3'000}, std::chrono::milliseconds{5'000}, 4};
    const std::vector<std::string> names_{"a", "b", "c", "d", "e"};
    check_schedule schedule_{rules_};
    std::map<log_position, modelled_half> halves_;
    std::set<std::string> present_;
    timestamp_ms now_{100'000};
    std::uint64_t next_position_ = 0;
    bool some_fail_ = true;
};

TEST(check_schedule, does_what_a_naive_model_does) {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        random_checks{seed}.run();
    }
}

TEST(check_schedule, a_dead_group_with_very_many_halves_holds_up_nobody) {
    check_schedule schedule{{}};
    half_message dead;
    dead.group = std::make_shared<const std::string>("dead");
    constexpr std::uint64_t count = 200'000;
    for (std::uint64_t i = 1; i <= count; ++i) {
        dead.position = log_position{i};
        schedule.await(dead, timestamp_ms{0});
    }
    half_message live = dead;
    live.position = log_position{count + 1};
    live.group = std::make_shared<const std::string>("live");
    schedule.add(live);
    // The slow round is under way, and does not come first.
    const auto taken = schedule.take_due(timestamp_ms{30'000}, 1'000);
    ASSERT_FALSE(taken.empty());
    EXPECT_EQ(taken.front(), live.position);
    EXPECT_LT(taken.size(), 1'000U);
    EXPECT_FALSE(schedule.has_due(timestamp_ms{30'000}));
}

} // namespace
} // namespace holdfast::broker
