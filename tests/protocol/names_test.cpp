#include "protocol/names.hpp"

#include <gtest/gtest.h>

namespace holdfast::protocol {
namespace {

TEST(Names, TopicsThatAreAllowed) {
    for (const std::string& topic :
         {std::string{"a"}, std::string{"%RETRY%G"}, std::string{"A_b-9|x"}, std::string(127, 't')})
        EXPECT_TRUE(check_topic_name(topic)) << topic;
}

TEST(Names, TopicsThatAreNotSayWhy) {
    EXPECT_EQ(check_topic_name("").failure().message, "topic must not be empty");
    EXPECT_NE(check_topic_name("a b").failure().message.find("topic \"a b\" may contain only"),
              std::string::npos);
    EXPECT_NE(check_topic_name(std::string(128, 't')).failure().message.find("128 bytes long; at most 127"),
              std::string::npos);
    for (const std::string_view topic : {"a.b", "a/b", "ä", "a\n", "a*"})
        EXPECT_FALSE(check_topic_name(topic)) << topic;
}

TEST(Names, GroupsLeaveRoomForTheirRetryTopic) {
    const std::string longest(120, 'g');
    EXPECT_TRUE(check_group_name(longest));
    EXPECT_TRUE(check_topic_name(retry_topic_of(longest)));
    EXPECT_TRUE(check_topic_name(dead_letter_topic_of(longest)));
    EXPECT_FALSE(check_group_name(longest + "g"));
}

TEST(Names, ReservedTopics) {
    for (const std::string_view topic :
         {"TBW102", "SCHEDULE_TOPIC_XXXX", "BenchmarkTest", "RMQ_SYS_TRANS_HALF_TOPIC",
          "RMQ_SYS_TRANS_OP_HALF_TOPIC", "TRANS_CHECK_MAX_TIME_TOPIC", "RMQ_SYS_TRACE_TOPIC",
          "SELF_TEST_TOPIC", "OFFSET_MOVED_EVENT", "rmq_sys_anything"})
        EXPECT_TRUE(is_reserved_topic(topic)) << topic;
    EXPECT_FALSE(is_reserved_topic("TopicTest"));
    EXPECT_TRUE(is_forbidden_to_send("SCHEDULE_TOPIC_XXXX"));
    EXPECT_FALSE(is_forbidden_to_send("RMQ_SYS_TRACE_TOPIC")); // traces are sent by clients
    EXPECT_FALSE(is_forbidden_to_send("TBW102"));
}

TEST(Names, RetryAndDeadLetterTopics) {
    EXPECT_EQ(retry_topic_of("G"), "%RETRY%G");
    EXPECT_EQ(group_of_topic("%RETRY%G"), "G");
    EXPECT_EQ(group_of_topic(dead_letter_topic_of("G")), "G");
    EXPECT_EQ(group_of_topic("G"), std::nullopt);
    EXPECT_TRUE(is_retry_topic("%RETRY%G"));
    EXPECT_FALSE(is_retry_topic("%DLQ%G"));
    EXPECT_TRUE(is_dead_letter_topic("%DLQ%G"));
}

TEST(Names, SystemGroups) {
    EXPECT_TRUE(is_system_group("TOOLS_CONSUMER"));
    EXPECT_TRUE(is_system_group("CID_RMQ_SYS_x"));
    EXPECT_FALSE(is_system_group("CG"));
}

} // namespace
} // namespace holdfast::protocol
