#include "client/send_back.hpp"
#include "tests/client/records.hpp"

#include <gtest/gtest.h>

namespace holdfast::client {
namespace {

retry_copy copy_of(std::string_view properties, std::int32_t times, const send_back& how,
                   std::int32_t sys_flag = 0) {
    const std::string record = testing::make_record(5, "hi", properties, sys_flag, times);
    return make_retry_copy(message_view{as_bytes(record)}, how);
}

const send_back plainly{.group = "G", .level = 0, .max_reconsume_times = {}, .broker_name = "b"};

TEST(RetryCopy, NamesWhereItComesFromAndWhenItIsDue) {
    const std::string record = testing::make_record(5, "hi", "UNIQ_KEY\1ID\2colour\1blue\2");
    const message_view message{as_bytes(record)};
    const auto copy = make_retry_copy(message, plainly);
    EXPECT_EQ(copy.topic, "%RETRY%G");
    EXPECT_EQ(copy.properties, "UNIQ_KEY\1ID\2colour\1blue\2RETRY_TOPIC\1T\2ORIGIN_MESSAGE_ID\1" +
                                   message.offset_message_id() + "\2DELAY\0013\2");
    EXPECT_EQ(copy.reconsume_times, 1);
    EXPECT_FALSE(copy.max_reconsume_times.has_value());
}

TEST(RetryCopy, KeepsTheFirstOriginAndWaitsLongerEachTime) {
    auto how = plainly;
    how.max_reconsume_times = 7;
    const auto copy = copy_of("RETRY_TOPIC\1orders\2ORIGIN_MESSAGE_ID\1FIRST\2DELAY\0019\2", 4, how);
    EXPECT_EQ(copy.properties, "RETRY_TOPIC\1orders\2ORIGIN_MESSAGE_ID\1FIRST\2DELAY\0017\2");
    EXPECT_EQ(copy.reconsume_times, 5);
    EXPECT_EQ(copy.max_reconsume_times, 7);
}

TEST(RetryCopy, TakesTheLevelAskedFor) {
    auto how = plainly;
    how.level = 12;
    EXPECT_EQ(*protocol::find_property(copy_of("", 0, how).properties, "DELAY"), "12");
}

// A copy that was retried more often than allowed goes where it belongs.
TEST(RetryCopy, GoesToTheDeadLetterQueueByItsNumberOfTries) {
    auto how = plainly;
    how.level = dead_letter_level;
    const auto copy = copy_of("", 2, how);
    EXPECT_GT(copy.reconsume_times, copy.max_reconsume_times.value());
    EXPECT_FALSE(protocol::find_property(copy.properties, "DELAY"));
}

TEST(RetryCopy, LeavesOutWhatIsNotTrueOfIt) {
    const auto copy =
        copy_of("TRAN_MSG\1true\2PGROUP\1PG\2CLUSTER\1c\2WAIT\1false\2REAL_TOPIC\1X\2REAL_QID\0011\2"
                "TIMER_DELIVER_MS\0019\2keep\1it\2",
                0, plainly, protocol::sys_flag::compressed | protocol::sys_flag::transaction_commit);
    EXPECT_EQ(copy.properties.find("TRAN_MSG"), std::string::npos);
    EXPECT_EQ(copy.properties.find("CLUSTER"), std::string::npos);
    EXPECT_EQ(copy.properties.find("WAIT"), std::string::npos);
    EXPECT_EQ(copy.properties.find("REAL_"), std::string::npos);
    EXPECT_EQ(copy.properties.find("TIMER_"), std::string::npos);
    EXPECT_EQ(*protocol::find_property(copy.properties, "keep"), "it");
    EXPECT_EQ(copy.sys_flag, protocol::sys_flag::compressed) << "the body is sent as it is stored";
}

} // namespace
} // namespace holdfast::client
