// Delayed messages: what is asked for, and taking them back.
#include "client/producer.hpp"
#include "protocol/properties.hpp"
#include "tests/client/fake_broker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <optional>

namespace holdfast::client {
namespace {

using protocol::request_code;
using protocol::response_code;
using testing::fake_broker;
using ::testing::HasSubstr;
using testing::script_says;
using testing::seen_request;

class delayed_sends : public ::testing::Test {
  protected:
    delayed_sends() { broker_.add_topic("T", 2); }
    producer& start() {
        producer_options options;
        options.client.name_servers = broker_.address();
        producer_ = std::make_unique<producer>(options);
        EXPECT_TRUE(producer_->start().ok());
        return *producer_;
    }
    static message hello() { return {.topic = "T", .body = "hello"}; }
    // Of the one message that was sent.
    std::optional<std::string> property(std::string_view name) {
        const std::string all = broker_.properties("T").at(0);
        const auto value = protocol::find_property(all, name);
        return value ? std::optional{std::string{*value}} : std::nullopt;
    }

    fake_broker broker_;
    std::unique_ptr<producer> producer_;
};

TEST_F(delayed_sends, ask_for_a_level) {
    auto outgoing = hello();
    outgoing.delay_level = 3;
    ASSERT_TRUE(start().send(outgoing).ok());
    EXPECT_EQ(property("DELAY"), "3");
    EXPECT_EQ(property("TIMER_DELAY_MS"), std::nullopt);
}

TEST_F(delayed_sends, ask_for_a_time_from_now_or_of_day) {
    auto outgoing = hello();
    outgoing.deliver_after_ms = 1'500;
    ASSERT_TRUE(start().send(outgoing).ok());
    EXPECT_EQ(property("TIMER_DELAY_MS"), "1500");
    outgoing = hello();
    outgoing.deliver_at = timestamp_ms{1'795'439'569'807};
    ASSERT_TRUE(producer_->send(outgoing).ok());
    EXPECT_THAT(broker_.properties("T"),
                ::testing::Contains(HasSubstr(std::string{"TIMER_DELIVER_MS"} + '\1' + "1795439569807")));
}

TEST_F(delayed_sends, are_refused_when_they_contradict_themselves) {
    auto outgoing = hello();
    outgoing.delay_level = 3;
    outgoing.deliver_after_ms = 1;
    const auto twice = start().send(outgoing);
    ASSERT_FALSE(twice.ok());
    EXPECT_THAT(twice.failure().message, HasSubstr("one of"));
    outgoing = hello();
    outgoing.deliver_after_ms = -1;
    EXPECT_FALSE(producer_->send(outgoing).ok());
    outgoing = hello();
    outgoing.delay_level = 1;
    const std::array batch{hello(), outgoing};
    EXPECT_FALSE(producer_->send_batch(batch).ok());
}

TEST_F(delayed_sends, give_the_handle_to_take_them_back_with) {
    broker_.on(request_code::send_message_v2, [](const seen_request& request) {
        byte_buffer out;
        protocol::append_response(
            out, protocol::answer_to::of(request.command),
            protocol::send_message_response{.message_id = "id", .recall_handle = "aGFuZGxl"});
        fake_broker::write(request, out.view());
        return script_says::stay_silent;
    });
    std::string asked;
    broker_.on(request_code::recall_message, [&](const seen_request& request) {
        const auto header = protocol::decode_header<protocol::recall_message_request>(request.command);
        asked = std::string{header->topic} + " " + std::string{header->recall_handle};
        if (header->recall_handle != "aGFuZGxl") {
            fake_broker::refuse(request, response_code::illegal_operation, "handle is invalid");
            return script_says::stay_silent;
        }
        byte_buffer out;
        protocol::append_response(out, protocol::answer_to::of(request.command),
                                  protocol::recall_message_response{.message_id = "ID"});
        fake_broker::write(request, out.view());
        return script_says::stay_silent;
    });
    auto outgoing = hello();
    outgoing.deliver_after_ms = 60'000;
    const auto sent = start().send(outgoing);
    ASSERT_TRUE(sent.ok());
    EXPECT_EQ(sent.receipt().recall_handle, "aGFuZGxl");
    const auto recalled = producer_->recall("T", sent.receipt().recall_handle);
    ASSERT_TRUE(recalled.ok()) << recalled.failure().message;
    EXPECT_EQ(*recalled, "ID");
    EXPECT_EQ(asked, "T aGFuZGxl");
    const auto wrong = producer_->recall("T", "nonsense");
    ASSERT_FALSE(wrong.ok());
    EXPECT_THAT(wrong.failure().message, HasSubstr("handle is invalid"));
    producer_->shutdown();
    EXPECT_FALSE(producer_->recall("T", "aGFuZGxl").ok());
}

} // namespace
} // namespace holdfast::client
