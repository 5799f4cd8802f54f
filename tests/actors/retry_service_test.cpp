// retry_service: messages that consumers send back (36), on virtual time.
#include "tests/actors/deliveries_fixture.hpp"

#include <gmock/gmock.h>

namespace holdfast::actors::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class sent_back : public deliveries {
  protected:
    log_position store(std::string_view body, std::int32_t reconsume_times = 0) {
        auto request = send_of("T", body);
        request.reconsume_times = reconsume_times;
        return position_of(send(request));
    }
    static protocol::consumer_send_message_back_request back(log_position position, std::int32_t level = 0) {
        protocol::consumer_send_message_back_request request;
        request.offset = position;
        request.group = "workers";
        request.delay_level = level;
        return request;
    }
    sent_frame ask_back(const protocol::consumer_send_message_back_request& request) {
        const auto connection = connect();
        ask(environment->retries, connection, incoming{}.add(1, request));
        flush_all();
        return connection->only();
    }
};

TEST_F(sent_back, a_message_is_durable_again_before_it_is_answered_OK) {
    set_up();
    const auto position = store("try me again");
    const auto connection = connect();
    ask(environment->retries, connection, incoming{}.add(5, back(position, 1)));
    EXPECT_TRUE(connection->sent().empty());
    ASSERT_EQ(disk->flushes.size(), 1U);
    flush_all();
    const auto answer = connection->only();
    EXPECT_EQ(answer.code, 0) << answer.remark;
    EXPECT_EQ(answer.opaque, 5);
    EXPECT_EQ(stored_in("%RETRY%workers"), 0U) << "not yet due";
    pass(1'500ms);
    EXPECT_THAT(bodies("%RETRY%workers"), ElementsAre("try me again"));
}

TEST_F(sent_back, a_message_says_where_it_comes_from_and_how_often_it_was_tried) {
    set_up();
    const auto sent = send(send_of("T", "x"));
    EXPECT_EQ(ask_back(back(position_of(sent))).code, 0);
    pass(11s); // level 3 is the first
    const auto connection = connect();
    deliver(consumer(connection), incoming{}.add(1, pull_of("%RETRY%workers", 0)));
    const auto pulled = connection->only();
    const auto messages = pulled.messages();
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_EQ(messages[0].reconsume_times, 1);
    EXPECT_EQ(messages[0].property("RETRY_TOPIC"), "T");
    EXPECT_EQ(messages[0].property("ORIGIN_MESSAGE_ID"), sent.fields.at("msgId"));
    EXPECT_EQ(messages[0].property("DELAY"), "3");
}

TEST_F(sent_back, a_failed_flush_is_never_answered_OK) {
    set_up();
    const auto position = store("x");
    const auto connection = connect();
    ask(environment->retries, connection, incoming{}.add(1, back(position)));
    fail_flush();
    EXPECT_TRUE(connection->sent().empty()) << "nobody knows what the disk holds";
    EXPECT_TRUE(connection->closed);
    EXPECT_EQ(counters.bytes_in_flight.load(), 0U);
    const auto another = connect();
    ask(environment->retries, another, incoming{}.add(2, back(position)));
    EXPECT_EQ(another->only().code, code_of(response_code::service_not_available));
}

TEST_F(sent_back, a_negative_delay_level_makes_a_dead_letter_and_its_topic) {
    set_up();
    const auto first = store("first");
    const auto second = store("second");
    ASSERT_FALSE(view->find_topic("%DLQ%workers"));
    const auto connection = connect();
    ask(environment->retries, connection, incoming{}.add(1, back(first, -1)));
    ask(environment->retries, connection, incoming{}.add(2, back(second, -1)));
    EXPECT_TRUE(connection->sent().empty());
    flush_all();
    const auto answers = connection->sent();
    ASSERT_EQ(answers.size(), 2U);
    for (const auto& answer : answers)
        EXPECT_EQ(answer.code, 0) << answer.remark;
    EXPECT_THAT(bodies("%DLQ%workers"), ElementsAre("first", "second"));
    EXPECT_EQ(logged(broker::command_kind::topic_create).size(), 1U);
    EXPECT_EQ(stored_in("%RETRY%workers"), 0U);
}

TEST_F(sent_back, who_can_not_make_the_dead_letters_topic_is_told) {
    set_up();
    const auto position = store("x");
    const auto connection = connect();
    ask(environment->retries, connection, incoming{}.add(1, back(position, -1)));
    fail_flush();
    EXPECT_EQ(connection->only().code, code_of(response_code::service_not_available));
}

TEST_F(sent_back, after_so_many_tries_a_message_is_a_dead_letter) {
    struct limit_case {
        std::optional<std::int32_t> says;
        std::int32_t limit;
    };
    set_up();
    std::size_t dead = 0;
    for (const auto& [says, limit] :
         {limit_case{-1, 16}, limit_case{std::nullopt, 16}, limit_case{3, 3}, limit_case{0, 0}}) {
        auto request = back(store("tried out", limit), 1);
        request.max_reconsume_times = says;
        EXPECT_EQ(ask_back(request).code, 0);
        EXPECT_EQ(stored_in("%DLQ%workers"), ++dead) << says.value_or(-2);
        if (limit == 0)
            continue;
        request.offset = store("one more", limit - 1);
        EXPECT_EQ(ask_back(request).code, 0);
        EXPECT_EQ(stored_in("%DLQ%workers"), dead) << says.value_or(-2);
    }
    pass(1'500ms);
    EXPECT_THAT(bodies("%RETRY%workers"), ElementsAre("one more", "one more", "one more"));
}

TEST_F(sent_back, an_unknown_group_is_26_and_what_is_not_there_an_error) {
    set_up();
    const auto position = store("x");
    auto request = back(position);
    request.group = "strangers";
    EXPECT_EQ(ask_back(request).code, code_of(response_code::subscription_group_not_exist));
    EXPECT_EQ(ask_back(back(position + 1)).code, code_of(response_code::system_error));
    EXPECT_EQ(ask_back(back(log_position{1} + (std::uint64_t{1} << 40U))).code,
              code_of(response_code::system_error));
    pass(15s);
    EXPECT_THAT(bodies("%RETRY%workers"), IsEmpty());
}

// A slow disk must not let this fill the memory: requests are small, the messages that they name are not.
TEST_F(sent_back, what_is_on_its_way_to_the_disk_is_bounded) {
    config.max_bytes_in_flight = 100'000;
    set_up();
    const auto position = store(std::string(60'000, 'x'));
    const auto connection = connect();
    for (std::int32_t i = 1; i <= 5; ++i)
        ask(environment->retries, connection, incoming{}.add(i, back(position)));
    const auto refused = connection->sent();
    ASSERT_EQ(refused.size(), 3U);
    for (const auto& answer : refused) {
        EXPECT_GE(answer.opaque, 3);
        EXPECT_EQ(answer.code, code_of(response_code::service_not_available));
        EXPECT_THAT(answer.remark, HasSubstr("[REJECTREQUEST]"));
    }
    EXPECT_GT(counters.bytes_in_flight.load(), 100'000U) << "sends see it as well";
    flush_all();
    EXPECT_EQ(connection->sent().size(), 2U);
    EXPECT_EQ(counters.bytes_in_flight.load(), 0U);
    EXPECT_EQ(ask_back(back(position)).code, 0);
}

TEST_F(sent_back, dead_letters_find_the_limit_of_topics_too) {
    set_up();
    const auto position = store("x");
    environment->max_topics = view->topic_count();
    const auto refused = ask_back(back(position, -1));
    EXPECT_EQ(refused.code, code_of(response_code::system_error));
    EXPECT_THAT(refused.remark, HasSubstr("limit of"));
    EXPECT_FALSE(view->find_topic("%DLQ%workers"));
}

} // namespace
} // namespace holdfast::actors::testing
