#include "client/allocation.hpp"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::client {
namespace {

using ::testing::ElementsAre;

std::vector<message_queue> queues(std::uint32_t count) {
    std::vector<message_queue> all;
    for (std::uint32_t number = 0; number < count; ++number)
        all.push_back({"T", "b", queue_number{number}});
    return all;
}

std::vector<std::uint32_t> numbers(const std::vector<message_queue>& of) {
    std::vector<std::uint32_t> all;
    for (const message_queue& each : of)
        all.push_back(each.queue.value());
    return all;
}

// What RocketMQ's AllocateMessageQueueAveragely gives for eight queues and three members.
TEST(allocation, gives_contiguous_shares_and_the_rest_to_the_first_members) {
    const std::vector<std::string> members{"c", "a", "b"};
    EXPECT_THAT(numbers(allocate_averagely(queues(8), members, "a")), ElementsAre(0, 1, 2));
    EXPECT_THAT(numbers(allocate_averagely(queues(8), members, "b")), ElementsAre(3, 4, 5));
    EXPECT_THAT(numbers(allocate_averagely(queues(8), members, "c")), ElementsAre(6, 7));
}

TEST(allocation, leaves_members_without_a_queue_when_there_are_fewer_queues) {
    const std::vector<std::string> members{"a", "b", "c"};
    EXPECT_THAT(numbers(allocate_averagely(queues(2), members, "a")), ElementsAre(0));
    EXPECT_THAT(numbers(allocate_averagely(queues(2), members, "b")), ElementsAre(1));
    EXPECT_THAT(numbers(allocate_averagely(queues(2), members, "c")), ElementsAre());
}

TEST(allocation, does_not_depend_on_order_and_counts_an_id_once) {
    auto shuffled = queues(8);
    std::reverse(shuffled.begin(), shuffled.end());
    EXPECT_EQ(allocate_averagely(shuffled, {"b", "a", "b"}, "b"),
              allocate_averagely(queues(8), {"a", "b"}, "b"));
}

TEST(allocation, gives_nothing_to_a_stranger) {
    EXPECT_THAT(allocate_averagely(queues(8), {"a", "b"}, "x"), ElementsAre());
    EXPECT_THAT(allocate_averagely(queues(8), {}, "x"), ElementsAre());
}

TEST(allocation, hands_every_queue_to_exactly_one_member) {
    for (std::uint32_t queue_count = 0; queue_count < 20; ++queue_count) {
        for (std::size_t member_count = 1; member_count < 9; ++member_count) {
            std::vector<std::string> members;
            for (std::size_t at = 0; at < member_count; ++at)
                members.push_back("m" + std::to_string(at));
            std::vector<message_queue> all;
            for (const std::string& each : members)
                for (message_queue& queue : allocate_averagely(queues(queue_count), members, each))
                    all.push_back(std::move(queue));
            EXPECT_EQ(all, queues(queue_count)) << queue_count << " queues, " << member_count << " members";
        }
    }
}

} // namespace
} // namespace holdfast::client
