#include "broker/half_walk.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::broker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class half_walk_test : public ::testing::Test {
  protected:
    void store(std::uint64_t position, std::int64_t at, std::int32_t immunity_ms = -1) {
        half_message half;
        half.position = log_position{position};
        half.stored = timestamp_ms{at};
        half.immunity_ms = immunity_ms;
        walk.note({table.add(half, "orders")});
    }
    std::vector<std::uint64_t> next(std::int64_t now, std::size_t most = 100) {
        std::vector<std::uint64_t> positions;
        for (const auto& half : walk.next(table, timestamp_ms{now}, most)) {
            EXPECT_EQ(*half.group, "orders");
            positions.push_back(half.position.value());
        }
        return positions;
    }

    transaction_table table;
    half_walk walk{std::chrono::milliseconds{6'000}};
};

TEST_F(half_walk_test, tells_of_each_half_once_when_it_is_old) {
    store(100, 0);
    store(200, 10);
    EXPECT_THAT(next(5'999), IsEmpty());
    EXPECT_THAT(next(6'000), ElementsAre(100));
    store(300, 20);
    EXPECT_THAT(next(6'020), ElementsAre(200, 300));
    EXPECT_THAT(next(1'000'000), IsEmpty());
}

TEST_F(half_walk_test, what_is_decided_in_time_is_never_told) {
    store(100, 0);
    store(200, 0);
    store(300, 0, 1'000);
    table.remove(log_position{100});
    table.remove(log_position{300});
    EXPECT_THAT(next(6'000), ElementsAre(200));
}

TEST_F(half_walk_test, tells_at_most_what_was_asked_for_and_goes_on_there) {
    for (std::uint64_t i = 1; i <= 5; ++i)
        store(i, 0);
    EXPECT_THAT(next(6'000, 2), ElementsAre(1, 2));
    table.remove(log_position{3});
    EXPECT_THAT(next(6'000, 2), ElementsAre(4, 5));
    EXPECT_THAT(next(6'000, 2), IsEmpty());
}

TEST_F(half_walk_test, a_half_with_a_shorter_time_of_its_own_is_told_at_once_and_once) {
    store(100, 0, 2'000);
    store(200, 0, 60'000); // a longer one can wait for the walk
    EXPECT_THAT(next(0), ElementsAre(100));
    EXPECT_THAT(next(6'000), ElementsAre(200));
    EXPECT_THAT(next(100'000), IsEmpty());
}

TEST_F(half_walk_test, a_half_that_was_checked_is_not_new) {
    store(100, 0, 2'000);
    EXPECT_THAT(next(0), ElementsAre(100));
    table.checked(log_position{100}, timestamp_ms{2'000});
    walk.note({*table.find(log_position{100})});
    EXPECT_THAT(next(100'000), IsEmpty());
}

TEST_F(half_walk_test, a_start_tells_of_everything_again) {
    store(100, 0);
    store(200, 5'000, 1'000);
    store(300, 5'000);
    table.checked(log_position{200}, timestamp_ms{6'000});
    EXPECT_THAT(next(7'000), ElementsAre(200, 100));
    half_walk after{std::chrono::milliseconds{6'000}};
    after.start(table);
    std::vector<std::uint64_t> told;
    for (const auto& half : after.next(table, timestamp_ms{11'000}, 100))
        told.push_back(half.position.value());
    EXPECT_THAT(told, ElementsAre(200, 100, 300));
}

} // namespace
} // namespace holdfast::broker
