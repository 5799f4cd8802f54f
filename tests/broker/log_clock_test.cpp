#include "broker/log_clock.hpp"

#include <gtest/gtest.h>

namespace holdfast::broker {
namespace {

using namespace std::chrono_literals;

// Drives both clocks: the steady one goes on, the wall clock also jumps.
struct clocks {
    std::chrono::microseconds wall = 1'000'000s;
    std::chrono::microseconds steady = 5s;
    log_clock time{wall, steady, timestamp_ms{0}};

    std::int64_t after(std::chrono::microseconds passed, std::chrono::microseconds jump = 0s) {
        wall += passed + jump;
        steady += passed;
        return time.now(wall, steady).value();
    }
    [[nodiscard]] std::int64_t wall_ms() const {
        return std::chrono::duration_cast<std::chrono::milliseconds>(wall).count();
    }
};

TEST(log_clock, is_the_wall_clock_while_that_behaves) {
    clocks both;
    for (int i = 0; i < 1000; ++i) {
        const auto now = both.after(777us);
        EXPECT_EQ(now, both.wall_ms());
    }
}

TEST(log_clock, follows_a_jump_forward_at_once) {
    clocks both;
    const auto now = both.after(1ms, 24h);
    EXPECT_EQ(now, both.wall_ms());
}

TEST(log_clock, goes_on_through_a_jump_back_and_is_caught_up_with) {
    clocks both;
    const auto before = both.after(1s);
    auto last = both.after(1s, -1h);
    EXPECT_GE(last - before, 875);
    EXPECT_LE(last - before, 1'000);
    int steps = 0;
    while (last != both.wall_ms()) {
        const auto next = both.after(10s);
        ASSERT_GE(next - last, 8'750);
        ASSERT_LE(next - last, 10'000);
        last = next;
        ASSERT_LT(++steps, 3'000) << "an hour is made good within eight";
    }
    EXPECT_GT(steps, 2'000);
}

TEST(log_clock, begins_at_the_logs_last_entry_when_that_is_later) {
    clocks both;
    log_clock later{both.wall, both.steady, timestamp_ms{both.wall_ms() + 5'000}};
    EXPECT_GE(later.now(both.wall, both.steady).value(), both.wall_ms() + 5'000);
    EXPECT_GE(later.now(both.wall + 8s, both.steady + 8s).value(), both.wall_ms() + 12'000);
}

TEST(log_clock, goes_on_from_what_a_leader_with_a_clock_ahead_has_written) {
    clocks both;
    const auto written = both.after(1s) + 60'000;
    both.time.not_before(timestamp_ms{written}, both.wall, both.steady);
    EXPECT_GE(both.after(8s), written + 7'000);
    both.time.not_before(timestamp_ms{written}, both.wall, both.steady);
    EXPECT_GE(both.after(1ms), written + 7'000) << "never back";
}

// A follower does not ask its clock for minutes, and leads then.
TEST(log_clock, counts_nothing_twice_that_passed_before_it_led) {
    clocks both;
    both.wall += 60s;
    both.steady += 60s;
    both.time.not_before(timestamp_ms{both.wall_ms() - 5}, both.wall, both.steady);
    const auto now = both.after(1ms);
    EXPECT_EQ(now, both.wall_ms());
}

TEST(log_clock, never_goes_back_when_calls_overtake_each_other) {
    clocks both;
    const auto now = both.after(1s);
    EXPECT_GE(both.time.now(both.wall - 5ms, both.steady - 5ms).value(), now);
}

} // namespace
} // namespace holdfast::broker
