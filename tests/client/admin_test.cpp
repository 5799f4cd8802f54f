#include "client/admin.hpp"
#include "client/compression.hpp"
#include "protocol/message_id.hpp"
#include "tests/client/fake_broker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::client {
namespace {

using ::testing::ElementsAre;
using testing::fake_broker;
using ::testing::HasSubstr;

class admin_of_a_fake : public ::testing::Test {
  protected:
    admin_of_a_fake() : admin_(client_options{.name_servers = broker_.address()}) {
        EXPECT_TRUE(admin_.start().ok());
    }
    fake_broker broker_;
    admin admin_;
};

TEST_F(admin_of_a_fake, creates_lists_and_shows_topics) {
    ASSERT_TRUE(admin_.create_topic("orders", {.read_queues = 3, .write_queues = 3, .permission = 6}).ok());
    EXPECT_THAT(*admin_.topics(), ElementsAre("TBW102", "orders"));
    const auto parts = admin_.route("orders");
    ASSERT_TRUE(parts.ok());
    ASSERT_EQ(parts->size(), 1U);
    EXPECT_EQ(parts->front().broker_name, "fake-broker");
    EXPECT_EQ(parts->front().broker_address, broker_.address());
    EXPECT_EQ(parts->front().settings.write_queues, 3);
}

TEST_F(admin_of_a_fake, says_what_to_do_about_a_missing_topic) {
    const auto parts = admin_.route("nothing");
    ASSERT_FALSE(parts.ok());
    EXPECT_EQ(parts.failure().code, errc::not_found);
    EXPECT_THAT(parts.failure().message, HasSubstr("topic create nothing"));
}

TEST_F(admin_of_a_fake, refuses_senseless_topics) {
    EXPECT_FALSE(admin_.create_topic("no spaces", {}).ok());
    EXPECT_FALSE(admin_.create_topic("T", {.read_queues = 0, .write_queues = 1, .permission = 6}).ok());
    EXPECT_FALSE(admin_.create_topic("T", {.read_queues = 1, .write_queues = 2'000, .permission = 6}).ok());
}

TEST_F(admin_of_a_fake, tells_offsets_and_finds_them_by_time) {
    broker_.add_topic("T", 2);
    for (int count = 0; count < 5; ++count)
        broker_.store("T", 1, "x");
    broker_.trim("T", 1, 2);
    const auto status = admin_.status("T");
    ASSERT_TRUE(status.ok());
    ASSERT_EQ(status->size(), 2U);
    EXPECT_EQ((*status)[0].last.value(), 0);
    EXPECT_EQ((*status)[1].first.value(), 2);
    EXPECT_EQ((*status)[1].last.value(), 5);
    // The fake stores its third message at 2002.
    EXPECT_EQ(admin_.offset_at((*status)[1].queue, timestamp_ms{2'003})->value(), 3);
    EXPECT_FALSE(admin_.offset_at({"T", "fake-broker", queue_number{9}}, timestamp_ms{0}).ok());
}

TEST_F(admin_of_a_fake, finds_messages_by_id_and_by_key) {
    broker_.add_topic("T", 1);
    broker_.store("T", 0, "first", "KEYS\1a b\2");
    broker_.store("T", 0, deflate_text(std::string(9'999, 'x'), 5), "KEYS\1b\2TAGS\1blue\2",
                  protocol::sys_flag::compressed);
    broker_.store("T", 0, "third", "KEYS\1bb\2");
    const auto found = admin_.messages_by_key("T", "b", 10);
    ASSERT_TRUE(found.ok());
    ASSERT_EQ(found->size(), 2U) << "a false hit of the index is filtered out";
    EXPECT_EQ((*found)[0].body, std::string(9'999, 'x')) << "newest first, decompressed";
    EXPECT_EQ((*found)[0].tag, "blue");
    EXPECT_EQ((*found)[1].body, "first");
    EXPECT_EQ(admin_.messages_by_key("T", "b", 1)->size(), 1U);
    EXPECT_TRUE(admin_.messages_by_key("T", "none", 10)->empty());
    const auto again = admin_.message_by_id((*found)[1].offset_message_id);
    ASSERT_TRUE(again.ok()) << again.failure().message;
    EXPECT_EQ(again->body, "first");
    EXPECT_EQ(again->offset.value(), 0);
}

TEST_F(admin_of_a_fake, refuses_ids_that_are_none) {
    EXPECT_FALSE(admin_.message_by_id("hello").ok());
    const auto nowhere = protocol::make_message_id({0x7F000001, static_cast<std::int32_t>(broker_.port())},
                                                   log_position{99'999});
    EXPECT_FALSE(admin_.message_by_id(nowhere).ok());
}

} // namespace
} // namespace holdfast::client
