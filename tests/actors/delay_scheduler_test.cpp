// delay_scheduler: deliveries and recalls (370) against each other and against a clock that jumps, on virtual
// time.
#include "tests/actors/deliveries_fixture.hpp"

#include <gmock/gmock.h>

namespace holdfast::actors::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class delayed : public deliveries {
  protected:
    static std::string property(std::string_view name, std::string_view value) {
        std::string text;
        protocol::append_property(text, name, value);
        return text;
    }
    sent_frame store(std::string_view body, const std::string& properties) {
        auto request = send_of("T", body);
        request.properties = properties;
        return send(request);
    }
    // Due after that time; the handle that calls it back.
    std::string store_with_timer(std::string_view body, std::chrono::milliseconds after) {
        const auto sent = store(body, property("UNIQ_KEY", "KEY-" + std::string{body}) +
                                          property("TIMER_DELAY_MS", std::to_string(after.count())));
        return sent.fields.at("recallHandle");
    }
    void recall(const fake_connection_ptr& from, const std::string& handle, std::int32_t opaque = 1) {
        protocol::recall_message_request request;
        request.topic = "T";
        request.recall_handle = handle;
        ask(environment->delays, from, incoming{}.add(opaque, request));
    }
    // Until the scheduler has something under way.
    void advance_to_next_entry() {
        for (int i = 0; i < 200 && disk->flushes.empty(); ++i)
            advance(50ms);
        ASSERT_FALSE(disk->flushes.empty());
    }
};

TEST_F(delayed, a_message_comes_when_it_is_due_and_not_before) {
    set_up();
    store("one second", property("DELAY", "1"));
    store("five seconds", property("DELAY", "2"));
    pass(900ms);
    EXPECT_THAT(bodies("T"), IsEmpty());
    pass(700ms);
    EXPECT_THAT(bodies("T"), ElementsAre("one second"));
    pass(3s);
    EXPECT_EQ(stored_in("T"), 1U);
    pass(1s);
    EXPECT_THAT(bodies("T"), ElementsAre("one second", "five seconds"));
    pass(10s);
    EXPECT_EQ(stored_in("T"), 2U) << "each once";
}

TEST_F(delayed, a_recall_that_comes_in_time_wins_even_when_the_disk_is_slow) {
    set_up();
    const auto handle = store_with_timer("x", 1'000ms);
    const auto connection = connect();
    recall(connection, handle);
    EXPECT_TRUE(connection->sent().empty()) << "not durable yet";
    advance(3s); // it is due, but its cancellation is under way
    EXPECT_EQ(disk->flushes.size(), 1U);
    flush_all();
    const auto answer = connection->only();
    EXPECT_EQ(answer.code, 0) << answer.remark;
    EXPECT_EQ(answer.fields.at("msgId"), "KEY-x");
    pass(3s);
    EXPECT_THAT(bodies("T"), IsEmpty());
    recall(connection, handle);
    EXPECT_EQ(connection->only().code, code_of(response_code::system_error)) << "called back before";
}

TEST_F(delayed, a_recall_that_comes_during_the_delivery_is_too_late_and_says_so) {
    set_up();
    const auto handle = store_with_timer("x", 1'000ms);
    pass(900ms);
    EXPECT_EQ(stored_in("T"), 0U);
    while (logged(broker::command_kind::deliveries).empty() && stored_in("T") == 0) {
        advance_to_next_entry();
        const auto& entry = disk->flushes.front()->entries.front();
        broker::command_cursor cursor{entry.view(), storage::entry_header_size};
        if (cursor.next()->header.kind == broker::command_kind::deliveries)
            break;
        flush();
    }
    const auto connection = connect();
    recall(connection, handle);
    EXPECT_TRUE(connection->sent().empty()) << "whether it is too late is decided by the disk";
    flush_all();
    const auto answer = connection->only();
    EXPECT_EQ(answer.code, code_of(response_code::system_error));
    EXPECT_THAT(answer.remark, HasSubstr("delivered"));
    EXPECT_THAT(bodies("T"), ElementsAre("x"));
}

TEST_F(delayed, recalls_wait_for_each_other_and_each_gets_its_answer) {
    set_up();
    const auto first = store_with_timer("first", 2'000ms);
    const auto second = store_with_timer("second", 2'000ms);
    store_with_timer("third", 2'000ms);
    const auto connection = connect();
    recall(connection, first, 1);
    recall(connection, second, 2);
    recall(connection, first, 3);
    flush_all();
    const auto answers = connection->sent();
    ASSERT_EQ(answers.size(), 3U);
    EXPECT_EQ(answers[0].code, 0);
    EXPECT_EQ(answers[1].code, 0);
    EXPECT_EQ(answers[2].opaque, 3);
    EXPECT_EQ(answers[2].code, code_of(response_code::system_error)) << "called back already";
    pass(3s);
    EXPECT_THAT(bodies("T"), ElementsAre("third"));
}

TEST_F(delayed, a_recall_whose_flush_fails_is_not_answered_OK) {
    set_up();
    const auto handle = store_with_timer("x", 10'000ms);
    const auto connection = connect();
    recall(connection, handle);
    fail_flush();
    EXPECT_TRUE(connection->sent().empty()) << "nobody knows what the disk holds";
    EXPECT_TRUE(connection->closed);
}

TEST_F(delayed, handles_that_mean_nothing_are_refused) {
    set_up();
    const auto connection = connect();
    recall(connection, "nonsense");
    EXPECT_EQ(connection->only().code, code_of(response_code::illegal_operation));
    protocol::recall_message_request request;
    request.topic = "other";
    const auto handle = store_with_timer("x", 10'000ms);
    request.recall_handle = handle;
    ask(environment->delays, connection, incoming{}.add(1, request));
    EXPECT_EQ(connection->only().code, code_of(response_code::illegal_operation));
    EXPECT_TRUE(disk->flushes.empty());
}

// The log's time follows a jump forward and never goes back; what was delayed is never lost, nor delivered
// twice, nor before the log says that it is due.
TEST_F(delayed, a_clock_that_jumps_forward_and_back_loses_nothing) {
    set_up();
    store("before", property("DELAY", "2"));
    pass(500ms);
    now += 10'000;
    pass(1s);
    EXPECT_THAT(bodies("T"), ElementsAre("before"));
    now += -10'000;
    store("behind", property("DELAY", "1"));
    pass(8s);
    EXPECT_THAT(bodies("T"), ElementsAre("before")) << "the log's time stands still until it is reached";
    pass(4s);
    EXPECT_THAT(bodies("T"), ElementsAre("before", "behind"));
    pass(10s);
    EXPECT_EQ(stored_in("T"), 2U);
}

} // namespace
} // namespace holdfast::actors::testing
