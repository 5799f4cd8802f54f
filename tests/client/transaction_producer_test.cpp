#include "client/compression.hpp"
#include "client/transaction_producer.hpp"
#include "tests/client/fake_broker.hpp"

#include <atomic>
#include <future>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mutex>
#include <stdexcept>

namespace holdfast::client {
namespace {

using protocol::request_code;
using protocol::response_code;
using protocol::transaction_end;
using ::testing::ElementsAre;
using testing::fake_broker;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::script_says;
using testing::seen_request;

class transactions_at_a_fake : public ::testing::Test {
  protected:
    ~transactions_at_a_fake() override { producer_.reset(); }
    transaction_producer_options options() {
        transaction_producer_options all;
        all.sending.client.name_servers = broker_->address();
        all.sending.client.reconnect_first = std::chrono::milliseconds{5};
        all.sending.client.reconnect_most = std::chrono::milliseconds{20};
        all.sending.send_timeout = std::chrono::seconds{10};
        all.sending.group = "PG";
        all.on_trouble = [this](const error& what) {
            const std::lock_guard lock{mutex_};
            troubles_.push_back(what.message);
        };
        return all;
    }
    transaction_producer& start(transaction_producer_options with, transaction_producer::checker check = {}) {
        broker_->add_topic("T", 1);
        if (!check)
            check = [](const message_view&) { return transaction_decision::unknown; };
        producer_ = std::make_unique<transaction_producer>(std::move(with), std::move(check));
        const auto started = producer_->start();
        EXPECT_TRUE(started.ok());
        return *producer_;
    }
    transaction_producer& start() { return start(options()); }
    static message hello(std::string body = "hello") {
        return {.topic = "T", .body = std::move(body), .tag = {}, .keys = {}};
    }
    static transaction_producer::local_transaction says(transaction_decision decision) {
        return [decision](const message&, const send_receipt&) { return decision; };
    }
    bool wait_for_ends(std::size_t count) {
        return broker_->wait_until([&] { return broker_->ends().size() >= count; });
    }
    // Stores a half message and leaves it open; false when the broker did not hear of it.
    bool leave_one_open(std::string body = "open") {
        const auto sent = producer_->send(hello(std::move(body)), says(transaction_decision::unknown));
        return sent.half.ok() && wait_for_ends(1);
    }
    std::vector<std::string> troubles() {
        const std::lock_guard lock{mutex_};
        return troubles_;
    }

    std::mutex mutex_;
    std::vector<std::string> troubles_;
    std::unique_ptr<fake_broker> broker_ = std::make_unique<fake_broker>();
    std::unique_ptr<transaction_producer> producer_;
};

TEST_F(transactions_at_a_fake, commits_after_the_local_transaction) {
    std::size_t visible_inside = 99;
    std::string id_inside;
    const auto sent = start().send(hello(), [&](const message& about, const send_receipt& half) {
        visible_inside = broker_->bodies("T").size();
        id_inside = half.message_id;
        EXPECT_EQ(about.body, "hello");
        return transaction_decision::commit;
    });
    ASSERT_TRUE(sent.half.ok()) << sent.half.failure().message;
    EXPECT_EQ(sent.decision, transaction_decision::commit);
    EXPECT_EQ(visible_inside, 0U);
    ASSERT_TRUE(wait_for_ends(1));
    EXPECT_THAT(broker_->bodies("T"), ElementsAre("hello"));
    const auto half = broker_->halves().at(0);
    EXPECT_EQ(half.group, "PG");
    EXPECT_EQ(half.sys_flag, protocol::sys_flag::transaction_prepared);
    EXPECT_EQ(half.properties, "UNIQ_KEY\1" + id_inside + "\2TRAN_MSG\1true\2PGROUP\1PG\2");
    const auto end = broker_->ends().at(0);
    EXPECT_EQ(end.group, "PG");
    EXPECT_EQ(end.number, 0);
    EXPECT_EQ(end.position, half.position);
    EXPECT_EQ(end.verdict, transaction_end::commit);
    EXPECT_EQ(end.message_id, id_inside);
    EXPECT_EQ(end.transaction_id, id_inside);
    EXPECT_FALSE(end.from_check);
}

TEST_F(transactions_at_a_fake, rolls_back) {
    const auto sent = start().send(hello(), says(transaction_decision::rollback));
    ASSERT_TRUE(sent.half.ok());
    ASSERT_TRUE(wait_for_ends(1));
    EXPECT_EQ(broker_->ends().at(0).verdict, transaction_end::rollback);
    EXPECT_THAT(broker_->bodies("T"), IsEmpty());
}

TEST_F(transactions_at_a_fake, waits_for_the_answer_to_a_decision_when_told_to) {
    auto with = options();
    with.confirm_decisions = true;
    const auto sent = start(with).send(hello(), says(transaction_decision::commit));
    ASSERT_TRUE(sent.half.ok());
    EXPECT_TRUE(sent.told.ok());
    EXPECT_THAT(broker_->bodies("T"), ElementsAre("hello")) << "visible when send() returns";
    EXPECT_FALSE(broker_->ends().at(0).oneway);
    broker_->on(request_code::end_transaction, [](const seen_request& request) {
        fake_broker::refuse(request, response_code::system_error, "not now");
        return script_says::stay_silent;
    });
    const auto refused = producer_->send(hello(), says(transaction_decision::commit));
    ASSERT_TRUE(refused.half.ok());
    ASSERT_FALSE(refused.told.ok());
    EXPECT_THAT(refused.told.failure().message, HasSubstr("not now"));
    // Brokers do not answer `unknown`: nobody may wait for it.
    EXPECT_TRUE(producer_->send(hello(), says(transaction_decision::unknown)).told.ok());
}

TEST_F(transactions_at_a_fake, does_not_run_the_local_transaction_of_a_send_that_failed) {
    broker_->on(request_code::send_message_v2, [](const seen_request& request) {
        // 10 = stored, flush not confirmed: a receipt for others, never for a transaction.
        fake_broker::refuse(
            request, request.number == 1 ? response_code::message_illegal : response_code::flush_disk_timeout,
            "no");
        return script_says::stay_silent;
    });
    bool ran = false;
    const auto run = [&](const message&, const send_receipt&) {
        ran = true;
        return transaction_decision::commit;
    };
    EXPECT_FALSE(start().send(hello(), run).half.ok());
    const auto unsure = producer_->send(hello(), run);
    ASSERT_FALSE(unsure.half.ok());
    EXPECT_TRUE(unsure.half.failure().may_be_stored());
    EXPECT_EQ(unsure.decision, transaction_decision::unknown);
    EXPECT_FALSE(ran);
    EXPECT_THAT(broker_->ends(), IsEmpty());
}

TEST_F(transactions_at_a_fake, refuses_a_receipt_that_does_not_say_where_the_half_message_is) {
    broker_->on(request_code::send_message_v2, [](const seen_request& request) {
        byte_buffer out;
        protocol::append_response(out, protocol::answer_to::of(request.command),
                                  protocol::send_message_response{.message_id = "somewhere"});
        fake_broker::write(request, out.view());
        return script_says::stay_silent;
    });
    const auto sent = start().send(hello(), says(transaction_decision::commit));
    ASSERT_FALSE(sent.half.ok());
    EXPECT_TRUE(sent.half.failure().may_be_stored());
}

TEST_F(transactions_at_a_fake, takes_an_exception_for_unknown) {
    const auto sent = start().send(hello(), [](const message&, const send_receipt&) -> transaction_decision {
        throw std::runtime_error{"the database is gone"};
    });
    ASSERT_TRUE(sent.half.ok());
    EXPECT_EQ(sent.decision, transaction_decision::unknown);
    ASSERT_TRUE(wait_for_ends(1));
    EXPECT_EQ(broker_->ends().at(0).verdict, transaction_end::unknown);
    EXPECT_THAT(troubles(), ElementsAre(HasSubstr("threw")));
}

TEST_F(transactions_at_a_fake, answers_checks) {
    const std::string body(5'000, 'x');
    std::string seen_body;
    std::string seen_id;
    start(options(), [&](const message_view& half) {
        seen_body = half.plain_body();
        seen_id = half.message_id();
        return transaction_decision::commit;
    });
    ASSERT_TRUE(leave_one_open(body));
    ASSERT_TRUE(broker_->wait_until([&] { return broker_->producers("PG") == 1; }));
    broker_->check_half(0);
    ASSERT_TRUE(wait_for_ends(2));
    EXPECT_EQ(seen_body, body) << "decompressed";
    const auto end = broker_->ends().at(1);
    EXPECT_EQ(end.verdict, transaction_end::commit);
    EXPECT_TRUE(end.from_check);
    EXPECT_EQ(end.number, 0);
    EXPECT_EQ(end.position, broker_->halves().at(0).position);
    EXPECT_EQ(end.transaction_id, seen_id);
    EXPECT_EQ(broker_->stored("T", 0), 1U);
}

TEST_F(transactions_at_a_fake, takes_an_exception_of_the_checker_for_unknown) {
    start(options(), [](const message_view&) -> transaction_decision { throw std::runtime_error{"oh"}; });
    ASSERT_TRUE(leave_one_open());
    ASSERT_TRUE(broker_->wait_until([&] { return broker_->producers("PG") == 1; }));
    broker_->check_half(0);
    ASSERT_TRUE(wait_for_ends(2));
    EXPECT_EQ(broker_->ends().at(1).verdict, transaction_end::unknown);
    EXPECT_THAT(troubles(), ElementsAre(HasSubstr("oh")));
}

TEST_F(transactions_at_a_fake, asks_the_checker_once_while_it_works_on_an_answer) {
    auto with = options();
    with.max_waiting_checks = 1;
    std::promise<void> go_on;
    const std::shared_future<void> may_go_on = go_on.get_future().share();
    std::atomic<int> asked{0};
    start(with, [&](const message_view&) {
        ++asked;
        may_go_on.wait();
        return transaction_decision::rollback;
    });
    ASSERT_TRUE(leave_one_open());
    ASSERT_TRUE(broker_->wait_until([&] { return broker_->producers("PG") == 1; }));
    for (int times = 0; times < 5; ++times)
        broker_->check_half(0);
    // A send behind the checks: when it is answered, they were all looked at.
    ASSERT_TRUE(producer_->send(hello("later"), says(transaction_decision::commit)).half.ok());
    go_on.set_value();
    ASSERT_TRUE(wait_for_ends(3));
    producer_->shutdown();
    EXPECT_EQ(asked, 1);
    EXPECT_THAT(troubles(), IsEmpty());
}

// What a killed producer left open is asked of its successor, which has sent nothing yet.
TEST_F(transactions_at_a_fake, is_asked_before_it_has_sent_anything) {
    start();
    ASSERT_TRUE(leave_one_open());
    producer_.reset();
    ASSERT_TRUE(broker_->wait_until([&] { return broker_->producers("PG") == 0; }));
    start(options(), [](const message_view&) { return transaction_decision::commit; });
    ASSERT_TRUE(broker_->wait_until([&] { return broker_->producers("PG") == 1; }));
    broker_->check_half(0);
    EXPECT_TRUE(broker_->wait_until([&] { return broker_->stored("T", 0) == 1; }));
}

TEST_F(transactions_at_a_fake, registers_again_after_the_connection_broke) {
    start();
    ASSERT_TRUE(broker_->wait_until([&] { return broker_->producers("PG") == 1; }));
    const int beats = broker_->count(request_code::heart_beat);
    broker_->close_connections();
    EXPECT_TRUE(broker_->wait_until(
        [&] { return broker_->count(request_code::heart_beat) > beats && broker_->producers("PG") == 1; }));
}

TEST_F(transactions_at_a_fake, keeps_many_transactions_open_at_once) {
    constexpr std::size_t count = 1'024;
    start();
    std::promise<void> all_answered;
    std::mutex mutex;
    std::vector<half_message> open;
    for (std::size_t number = 0; number < count; ++number)
        producer_->send_half_async(hello(std::to_string(number)), [&](half_result sent) {
            ASSERT_TRUE(sent.ok());
            const std::lock_guard lock{mutex};
            open.push_back(std::move(sent.half()));
            if (open.size() == count)
                all_answered.set_value();
        });
    all_answered.get_future().wait();
    EXPECT_THAT(broker_->bodies("T"), IsEmpty());
    // Decided in another order and by other threads; every third is rolled back, the last one forgotten.
    std::atomic<std::size_t> confirmed{0};
    std::thread other{[&] {
        for (std::size_t number = count - 1; number-- > 0;) {
            const auto done = [&](const result<void>& told) { confirmed += told.ok() ? 1 : 0; };
            if (number % 3 == 0)
                open[number].rollback(done);
            else
                open[number].commit(done);
        }
    }};
    other.join();
    open.clear();
    producer_->shutdown(); // waits for the confirmations
    EXPECT_EQ(confirmed, count - 1);
    EXPECT_EQ(broker_->stored("T", 0), 682U);
}

TEST_F(transactions_at_a_fake, hears_of_nothing_after_its_end) {
    start();
    auto sent = producer_->send_half(hello());
    ASSERT_TRUE(sent.ok());
    producer_->shutdown();
    std::optional<bool> told;
    sent.half().commit([&](const result<void>& outcome) { told = outcome.ok(); });
    EXPECT_EQ(told, false);
    const auto late = producer_->send_half(hello());
    ASSERT_FALSE(late.ok());
    EXPECT_EQ(late.failure().kind, send_error_kind::shut_down);
}

TEST_F(transactions_at_a_fake, asks_for_a_late_first_check_when_told_to) {
    auto with = options();
    with.first_check_after = std::chrono::seconds{42};
    ASSERT_TRUE(start(with).send_half(hello()).ok());
    EXPECT_THAT(broker_->halves().at(0).properties, HasSubstr("CHECK_IMMUNITY_TIME_IN_SECONDS\00142\2"));
}

TEST_F(transactions_at_a_fake, refuses_senseless_options_and_delays) {
    auto with = options();
    with.checker_threads = 0;
    const auto always = [](const message_view&) { return transaction_decision::commit; };
    EXPECT_FALSE((transaction_producer{with, always}.start().ok()));
    EXPECT_FALSE((transaction_producer{options(), {}}.start().ok()));
    with = options();
    with.sending.group = "";
    EXPECT_FALSE((transaction_producer{with, always}.start().ok()));
    auto delayed = hello();
    delayed.delay_level = 3;
    const auto refused = start().send_half(delayed);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.failure().kind, send_error_kind::invalid);
}

} // namespace
} // namespace holdfast::client
