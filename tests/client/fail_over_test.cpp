// A broker of two nodes whose leader goes away: consumers, transactions and admin go on at the next one.
//
// What is tried again after a fixed time is tried after a minute here, which is longer than any wait: so all
// that happens, happens because the next leader was looked for.
#include "client/admin.hpp"
#include "client/transaction_producer.hpp"
#include "tests/client/consumer_fixture.hpp"

#include <algorithm>
#include <atomic>
#include <future>
#include <thread>

namespace holdfast::client {
namespace {

using protocol::request_code;
using protocol::response_code;
using testing::consumer_at_a_fake;
using ::testing::ElementsAre;
using testing::fake_broker;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::script_says;
using testing::seen_request;
using ::testing::UnorderedElementsAre;
using namespace std::chrono_literals;

constexpr auto longer_than_the_test = 1min;

class consumer_at_two_nodes : public consumer_at_a_fake {
  protected:
    consumer_at_two_nodes() {
        broker_->add_topic("T", 1);
        broker_->set_committed("G", "T", 0, 0);
        next_.follow(broker_->address());
    }
    push_consumer_options options() const {
        auto all = consumer_at_a_fake::options();
        all.client.name_servers = broker_->address() + ";" + next_.address();
        all.pull_error_delay = longer_than_the_test;
        all.rebalance_interval = longer_than_the_test;
        all.lock_interval = longer_than_the_test;
        all.lock_trust = 2 * longer_than_the_test;
        return all;
    }
    void kill_leader() {
        next_.copy_state_of(*broker_);
        broker_.reset();
    }
    void lead_next() { next_.follow(next_.address()); }
    // The script may run when the broker is not ours any more.
    void hold_send_backs() {
        broker_->on(request_code::consumer_send_message_back,
                    [broker = broker_.get()](const seen_request& request) {
                        broker->hold(request);
                        return script_says::stay_silent;
                    });
    }
    void count_questions() {
        next_.on(request_code::get_route_info_by_topic, [this](const seen_request& request) {
            questions_ += *request.command.find("topic") == "T" ? 1 : 0;
            return script_says::serve;
        });
    }
    bool wait_committed_at_next(std::int64_t offset) {
        return next_.wait_until([&] { return next_.committed("G", "T", 0) == offset; });
    }

    std::atomic<int> questions_{0}; // for the route of the topic
    fake_broker next_;
};

TEST_F(consumer_at_two_nodes, goes_on_at_the_next_leader_as_a_member) {
    std::atomic<int> strangers{0};
    next_.on(request_code::pull_message, [&](const seen_request&) {
        strangers += next_.members("G") == 0 ? 1 : 0;
        return script_says::serve;
    });
    broker_->store("T", 0, "before");
    const auto consumer = consume(options());
    ASSERT_TRUE(wait_committed(0, 1));
    kill_leader();
    lead_next();
    next_.store("T", 0, "after");
    ASSERT_TRUE(seen_.wait_for(2));
    EXPECT_TRUE(wait_committed_at_next(2));
    EXPECT_THAT(seen_.bodies(), ElementsAre("before", "after"));
    EXPECT_EQ(strangers, 0);
}

TEST_F(consumer_at_two_nodes, leaves_a_node_that_leads_no_more) {
    broker_->store("T", 0, "before");
    const auto consumer = consume(options());
    ASSERT_TRUE(wait_committed(0, 1));
    next_.copy_state_of(*broker_);
    broker_->follow(next_.address());
    lead_next();
    next_.store("T", 0, "after");
    ASSERT_TRUE(wait_committed_at_next(2));
    EXPECT_THAT(seen_.bodies(), ElementsAre("before", "after"));
    EXPECT_EQ(next_.members("G"), 1U);
}

TEST_F(consumer_at_two_nodes, asks_again_and_again_but_not_in_haste_while_nobody_leads) {
    broker_->store("T", 0, "before");
    const auto consumer = consume(options());
    ASSERT_TRUE(wait_committed(0, 1));
    std::atomic<int> asked{0};
    next_.on(request_code::get_route_info_by_topic, [&](const seen_request& request) {
        asked += *request.command.find("topic") == "T" ? 1 : 0;
        return script_says::serve;
    });
    next_.follow("");
    const auto began = std::chrono::steady_clock::now();
    kill_leader();
    // A few at once, for more than one reason; then after 50, 100, 200 ms and so on.
    ASSERT_TRUE(next_.wait_until([&] { return asked >= 7; }));
    EXPECT_GE(std::chrono::steady_clock::now() - began, 350ms);
    lead_next();
    next_.store("T", 0, "after");
    ASSERT_TRUE(seen_.wait_for(2));
    EXPECT_TRUE(wait_committed_at_next(2));
}

TEST_F(consumer_at_two_nodes, finds_out_where_to_begin_at_the_next_leader) {
    broker_->store("T", 0, "done");
    broker_->store("T", 0, "to do");
    broker_->set_committed("G", "T", 0, 1);
    std::promise<void> asked;
    broker_->on(request_code::query_consumer_offset, [&](const seen_request& request) {
        if (request.number == 1)
            asked.set_value();
        return script_says::stay_silent;
    });
    const auto consumer = consume(options());
    asked.get_future().wait();
    kill_leader();
    lead_next();
    ASSERT_TRUE(seen_.wait_for(1));
    EXPECT_THAT(seen_.bodies(), ElementsAre("to do"));
}

TEST_F(consumer_at_two_nodes, keeps_the_order_and_locks_its_queues_at_the_next_leader) {
    auto with = options();
    with.ordered = true;
    for (const char* body : {"0", "1", "2"})
        broker_->store("T", 0, body);
    std::promise<void> has_one;
    std::promise<void> may_go_on;
    const auto gate = may_go_on.get_future().share();
    const auto consumer = consume(with, [&](delivery one) {
        seen_.add(one);
        if (one.body() == "1") {
            has_one.set_value();
            gate.wait();
        }
        one.ack();
    });
    has_one.get_future().wait();
    kill_leader();
    next_.set_lock("G", "T", 0, ""); // as if it had expired
    lead_next();
    EXPECT_TRUE(next_.wait_until([&] { return next_.lock_owner("G", "T", 0) == consumer->client_id(); }));
    next_.store("T", 0, "3");
    may_go_on.set_value();
    ASSERT_TRUE(wait_committed_at_next(4));
    EXPECT_THAT(seen_.bodies(), ElementsAre("0", "1", "2", "3"));
}

// The new leader knows one member first and then the other: none of them takes the other's queue.
TEST_F(consumer_at_two_nodes, leaves_the_queues_with_their_members) {
    broker_->add_topic("T", 2);
    broker_->set_committed("G", "T", 1, 0);
    auto with = options();
    with.client.client_id = "a";
    testing::seen_messages seen_by_other;
    auto other_with = options();
    other_with.client.client_id = "b";
    const auto holds_one = [](const push_consumer& member) {
        return std::ranges::count(member.assignment(), "T", &message_queue::topic) == 1;
    };
    const auto one = consume(with);
    const auto other = consume(other_with, [&](delivery got) {
        seen_by_other.add(got);
        got.ack();
    });
    ASSERT_TRUE(broker_->wait_until([&] { return holds_one(*one) && holds_one(*other); }));
    kill_leader();
    lead_next();
    next_.store("T", 0, "for a");
    next_.store("T", 1, "for b");
    ASSERT_TRUE(seen_.wait_for(1) && seen_by_other.wait_for(1));
    EXPECT_THAT(seen_.bodies(), ElementsAre("for a"));
    EXPECT_THAT(seen_by_other.bodies(), ElementsAre("for b"));
    EXPECT_TRUE(holds_one(*one) && holds_one(*other));
}

TEST_F(consumer_at_two_nodes, gives_a_message_back_to_the_next_leader) {
    broker_->store("T", 0, "1");
    hold_send_backs(); // and never answer them
    const auto consumer = consume(options(), [&](delivery one) {
        if (one.reconsume_times() == 0)
            one.retry_later();
        else
            one.ack();
    });
    ASSERT_TRUE(broker_->wait_until([&] { return broker_->held() == 1; }));
    kill_leader();
    lead_next();
    ASSERT_TRUE(wait_committed_at_next(1));
    EXPECT_EQ(next_.send_backs().size(), 1U);
    EXPECT_EQ(next_.count(request_code::send_message_v2), 0) << "no plain copy was needed";
    EXPECT_THAT(next_.bodies("%RETRY%G"), ElementsAre("1"));
}

TEST_F(consumer_at_two_nodes, ends_while_nobody_leads) {
    broker_->store("T", 0, "1");
    hold_send_backs();
    const auto consumer = consume(options(), [&](delivery one) {
        seen_.add(one);
        one.retry_later();
    });
    ASSERT_TRUE(broker_->wait_until([&] { return broker_->held() == 1; }));
    next_.follow("");
    kill_leader();
    const auto began = std::chrono::steady_clock::now();
    consumer->shutdown();
    EXPECT_LT(std::chrono::steady_clock::now() - began, 10s);
}

// Its listener keeps it from pulling, so no pull that fails says that the leader is gone.
TEST_F(consumer_at_two_nodes, looks_for_the_next_leader_while_its_listener_is_busy) {
    std::promise<void> has_one;
    std::promise<void> may_go_on;
    const auto gate = may_go_on.get_future().share();
    auto with = options();
    with.listener_threads = 1;
    with.max_cached_messages_per_queue = 1;
    with.pull_batch_messages = 2;
    for (const char* body : {"0", "1"})
        broker_->store("T", 0, body);
    const auto consumer = consume(with, [&](delivery one) {
        seen_.add(one);
        if (one.body() == "0") {
            has_one.set_value();
            gate.wait();
        }
        one.ack();
    });
    has_one.get_future().wait();
    next_.follow("");
    count_questions();
    kill_leader();
    EXPECT_TRUE(next_.wait_until([&] { return questions_ >= 6; })) << "not only once a topic";
    lead_next();
    EXPECT_TRUE(next_.wait_until([&] { return next_.members("G") == 1; }));
    may_go_on.set_value();
    EXPECT_TRUE(wait_committed_at_next(2));
}

TEST_F(consumer_at_two_nodes, commits_at_the_next_leader) {
    auto with = options();
    with.commit_interval = longer_than_the_test;
    broker_->store("T", 0, "1");
    const auto consumer = consume(with);
    ASSERT_TRUE(seen_.wait_for(1));
    next_.follow("");
    count_questions();
    kill_leader();
    auto committed = std::async(std::launch::async, [&] { return consumer->commit(); });
    EXPECT_TRUE(next_.wait_until([&] { return questions_ > 0; }));
    lead_next();
    const auto outcome = committed.get();
    EXPECT_TRUE(outcome.ok()) << outcome.failure().message;
    EXPECT_EQ(next_.committed("G", "T", 0), 1);
}

TEST_F(consumer_at_two_nodes, gives_its_offsets_and_locks_to_the_next_leader_when_it_ends) {
    auto with = options();
    with.ordered = true;
    with.commit_interval = longer_than_the_test;
    broker_->store("T", 0, "1");
    const auto consumer = consume(with);
    ASSERT_TRUE(seen_.wait_for(1));
    next_.follow("");
    kill_leader();
    count_questions();
    auto ended = std::async(std::launch::async, [&] { consumer->shutdown(); });
    EXPECT_TRUE(next_.wait_until([&] { return questions_ > 0; }));
    lead_next();
    ended.get();
    EXPECT_EQ(next_.committed("G", "T", 0), 1);
    EXPECT_EQ(next_.lock_owner("G", "T", 0), "");
}

class consumer_of_a_follower : public consumer_at_two_nodes {
  protected:
    // One message a pull; the leader says after each that the follower shall be asked next.
    push_consumer_options options() const {
        auto all = consumer_at_two_nodes::options();
        all.pull_batch_messages = 1;
        all.pull_error_delay = 20ms;
        return all;
    }
    void store_three() {
        for (const char* body : {"1", "2", "3"})
            broker_->store("T", 0, body);
        next_.copy_state_of(*broker_);
        next_.serve_reads();
        broker_->suggest(1, next_.address());
    }
    void expect_all_three() {
        const auto consumer = consume(options());
        EXPECT_TRUE(wait_committed(0, 3));
        EXPECT_THAT(seen_.bodies(), UnorderedElementsAre("1", "2", "3"));
    }
    // The follower is asked `times`, and then left alone; the leader has everything.
    void expect_all_three_though_it(const fake_broker::script& fails, int times = 1) {
        store_three();
        next_.suggest(1, "");
        next_.on(request_code::pull_message, fails);
        expect_all_three();
        EXPECT_EQ(next_.count(request_code::pull_message), times);
    }
    static void answer(const seen_request& request, response_code code, std::int64_t next,
                       std::string_view body) {
        byte_buffer out;
        protocol::append_response(out, protocol::answer_to::of(request.command),
                                  protocol::pull_message_response{.suggest_broker_id = 1,
                                                                  .next_begin_offset = queue_offset{next},
                                                                  .min_offset = queue_offset{0},
                                                                  .max_offset = queue_offset{3}},
                                  as_bytes(body), code);
        fake_broker::write(request, out.view());
    }
};

TEST_F(consumer_of_a_follower, reads_there_until_it_has_no_more) {
    store_three();
    next_.suggest(1, "");
    expect_all_three();
    EXPECT_EQ(next_.count(request_code::pull_message), 3) << "2, 3, and that there is no more";
}

TEST_F(consumer_of_a_follower, goes_back_to_the_leader_when_it_is_told_so) {
    store_three();
    expect_all_three();
    EXPECT_EQ(next_.count(request_code::pull_message), 2) << "2, and that there is nothing behind 3";
}

TEST_F(consumer_of_a_follower, asks_the_leader_when_it_refuses) {
    expect_all_three_though_it([](const seen_request& request) {
        fake_broker::refuse(request, response_code::service_not_available, "not here");
        return script_says::stay_silent;
    });
}

TEST_F(consumer_of_a_follower, asks_the_leader_when_it_hangs_up) {
    expect_all_three_though_it([](const seen_request&) { return script_says::close; });
}

TEST_F(consumer_of_a_follower, asks_the_leader_when_it_says_that_an_offset_does_not_exist) {
    expect_all_three_though_it([](const seen_request& request) {
        answer(request, response_code::pull_offset_moved, 0, "");
        return script_says::stay_silent;
    });
}

TEST_F(consumer_of_a_follower, asks_the_leader_when_its_records_can_not_be_read) {
    expect_all_three_though_it(
        [](const seen_request& request) {
            answer(request, response_code::success, 3, std::string(100, '?'));
            return script_says::stay_silent;
        },
        2); // the second one is on its way when the records of the first are looked at
}

TEST_F(consumer_of_a_follower, asks_the_leader_when_it_does_not_say_where_its_records_end) {
    expect_all_three_though_it([](const seen_request& request) {
        answer(request, response_code::success, 0, "");
        return script_says::stay_silent;
    });
}

// It waits for its disk. The leader is another matter: its silence may mean that it is gone.
TEST_F(consumer_of_a_follower, lets_it_take_its_time) {
    store_three();
    next_.suggest(1, "");
    next_.on(request_code::pull_message, [&](const seen_request& request) {
        if (request.number != 1)
            return script_says::serve;
        next_.hold(request);
        return script_says::stay_silent;
    });
    auto with = options();
    with.client.silence_limit = 50ms;
    with.client.heartbeat_interval = 100ms;
    const auto consumer = consume(with);
    ASSERT_TRUE(next_.wait_until([&] { return next_.held() == 1; }));
    const int before = broker_->count(request_code::heart_beat);
    ASSERT_TRUE(broker_->wait_until([&] { return broker_->count(request_code::heart_beat) >= before + 8; }));
    EXPECT_THAT(seen_.bodies(), ElementsAre("1"));
    next_.release({0});
    EXPECT_TRUE(wait_committed(0, 3));
    EXPECT_EQ(next_.count(request_code::pull_message), 3);
}

class transactions_at_two_nodes : public ::testing::Test {
  protected:
    transactions_at_two_nodes() {
        first_->add_topic("T", 1);
        next_.follow(first_->address());
    }
    void start(std::chrono::milliseconds send_timeout = 20s) {
        transaction_producer_options all;
        all.sending.client.name_servers = first_->address() + ";" + next_.address();
        all.sending.group = "PG";
        all.sending.send_timeout = send_timeout;
        producer_ = std::make_unique<transaction_producer>(
            all, [](const message_view&) { return transaction_decision::unknown; });
        ASSERT_TRUE(producer_->start().ok());
    }
    void kill_leader() {
        next_.copy_state_of(*first_);
        first_.reset();
    }
    void lead_next() { next_.follow(next_.address()); }
    [[nodiscard]] half_result half(std::string body) const {
        return producer_->send_half({.topic = "T", .body = std::move(body), .tag = {}, .keys = {}});
    }

    std::unique_ptr<fake_broker> first_ = std::make_unique<fake_broker>();
    fake_broker next_;
    std::unique_ptr<transaction_producer> producer_;
};

TEST_F(transactions_at_two_nodes, are_decided_at_the_next_leader) {
    start();
    auto bought = half("bought");
    auto left = half("left");
    auto silent = half("nobody waits for the answer");
    ASSERT_TRUE(bought.ok() && left.ok() && silent.ok());
    // One decision is on its way when the leader dies, the others come while nobody leads.
    first_->on(request_code::end_transaction, [](const seen_request&) { return script_says::stay_silent; });
    std::promise<bool> committed;
    std::promise<bool> rolled_back;
    bought.half().commit([&](const result<void>& told) { committed.set_value(told.ok()); });
    ASSERT_TRUE(first_->wait_until([&] { return first_->count(request_code::end_transaction) == 1; }));
    next_.follow("");
    kill_leader();
    left.half().rollback([&](const result<void>& told) { rolled_back.set_value(told.ok()); });
    silent.half().commit();
    lead_next();
    EXPECT_TRUE(committed.get_future().get());
    EXPECT_TRUE(rolled_back.get_future().get());
    EXPECT_TRUE(next_.wait_until([&] { return next_.stored("T", 0) == 2; }));
    EXPECT_EQ(next_.halves().at(0).decision, protocol::transaction_end::commit);
    EXPECT_EQ(next_.halves().at(1).decision, protocol::transaction_end::rollback);
    EXPECT_EQ(next_.halves().at(2).decision, protocol::transaction_end::commit);
}

TEST_F(transactions_at_two_nodes, are_left_to_the_checker_when_nobody_leads_for_long) {
    start(2s);
    auto open = half("open");
    ASSERT_TRUE(open.ok());
    next_.follow("");
    kill_leader();
    std::promise<std::string> told;
    open.half().commit([&](const result<void>& outcome) {
        told.set_value(outcome.ok() ? "ok" : outcome.failure().message);
    });
    EXPECT_THAT(told.get_future().get(), HasSubstr("the broker will ask the checker"));
    EXPECT_GT(next_.count(request_code::get_route_info_by_topic), 0) << "it looked for a leader";
}

// Nobody waits for it, so nobody shall wait for the end of send_timeout either.
TEST_F(transactions_at_two_nodes, hold_up_a_shutdown_only_for_a_moment) {
    start(1min);
    auto open = half("open");
    ASSERT_TRUE(open.ok());
    next_.follow("");
    kill_leader();
    open.half().commit();
    const auto began = std::chrono::steady_clock::now();
    producer_->shutdown();
    EXPECT_LT(std::chrono::steady_clock::now() - began, 15s);
}

// A shutdown that begins while the callback runs finds nothing on its way.
TEST_F(transactions_at_two_nodes, are_decided_in_a_callback_during_a_shutdown) {
    start();
    std::promise<void> in_callback;
    producer_->send_half_async({.topic = "T", .body = "b", .tag = {}, .keys = {}}, [&](half_result got) {
        in_callback.set_value();
        std::this_thread::sleep_for(300ms); // a callback that takes a while
        got.half().commit();
    });
    in_callback.get_future().wait();
    producer_->shutdown();
    EXPECT_EQ(first_->stored("T", 0), 1U);
}

// Else nobody could be asked there about what is open.
TEST_F(transactions_at_two_nodes, have_their_producer_registered_at_the_next_leader) {
    start();
    ASSERT_TRUE(first_->wait_until([&] { return first_->producers("PG") == 1; }));
    next_.follow("");
    kill_leader();
    lead_next();
    EXPECT_TRUE(next_.wait_until([&] { return next_.producers("PG") == 1; }));
}

// A follower that was asked for the route was told of the producer, too, and does not remember it.
TEST_F(transactions_at_two_nodes, have_their_producer_registered_at_a_follower_that_wins_later) {
    start();
    ASSERT_TRUE(half("open").ok());
    ASSERT_TRUE(first_->wait_until([&] { return first_->producers("PG") == 1; }));
    next_.follow("");
    kill_leader();
    ASSERT_TRUE(next_.wait_until([&] { return next_.count(request_code::heart_beat) > 0; }));
    lead_next();
    EXPECT_TRUE(next_.wait_until([&] { return next_.producers("PG") == 1; }));
}

class admin_of_two_nodes : public ::testing::Test {
  protected:
    admin_of_two_nodes()
        : admin_(client_options{.name_servers = first_.address() + ";" + next_.address(),
                                .request_timeout = 1s}) {
        first_.add_topic("T", 1);
        first_.store("T", 0, "one");
        next_.copy_state_of(first_);
        next_.follow(first_.address());
        EXPECT_TRUE(admin_.start().ok());
    }
    // The first node leads no more when it is asked that.
    void change_leader_at(request_code code, script_says then) {
        first_.on(code, [this, then](const seen_request&) {
            first_.follow(next_.address());
            next_.follow(next_.address());
            return then;
        });
    }

    fake_broker first_;
    fake_broker next_;
    admin admin_;
};

TEST_F(admin_of_two_nodes, asks_the_next_leader) {
    change_leader_at(request_code::get_max_offset, script_says::close);
    const auto status = admin_.status("T");
    ASSERT_TRUE(status.ok()) << status.failure().message;
    EXPECT_EQ(status->at(0).last.value(), 1);
    EXPECT_EQ(next_.count(request_code::get_max_offset), 1);
}

TEST_F(admin_of_two_nodes, creates_a_topic_at_the_next_leader_whatever_became_of_the_first_try) {
    change_leader_at(request_code::update_and_create_topic, script_says::close);
    const auto made = admin_.create_topic("new", {});
    ASSERT_TRUE(made.ok()) << made.failure().message;
    EXPECT_EQ(next_.count(request_code::update_and_create_topic), 1);
}

TEST_F(admin_of_two_nodes, finds_a_message_by_an_id_that_names_the_old_leader) {
    const auto found = admin_.messages_by_key("T", "none", 1);
    ASSERT_TRUE(found.ok());
    const auto id = "7F000001" + [&] {
        std::string hex(8, '0');
        std::snprintf(hex.data(), hex.size() + 1, "%08X", static_cast<unsigned>(first_.port()));
        return hex;
    }() + "0000000000000000";
    change_leader_at(request_code::view_message_by_id, script_says::serve);
    const auto message = admin_.message_by_id(id);
    ASSERT_TRUE(message.ok()) << message.failure().message;
    EXPECT_EQ(message->body, "one");
    EXPECT_EQ(next_.count(request_code::view_message_by_id), 1);
}

TEST_F(admin_of_two_nodes, says_that_a_reset_may_have_been_done_and_does_not_repeat_it) {
    change_leader_at(request_code::invoke_broker_to_reset_offset, script_says::close);
    const auto reset = admin_.reset_group("G", "T", {.time = timestamp_ms{-1}, .queue = {}, .offset = {}});
    ASSERT_FALSE(reset.ok());
    EXPECT_THAT(reset.failure().message, HasSubstr("may be done all the same"));
    EXPECT_EQ(next_.count(request_code::invoke_broker_to_reset_offset), 0);
}

TEST_F(admin_of_two_nodes, repeats_a_reset_that_was_refused) {
    change_leader_at(request_code::invoke_broker_to_reset_offset, script_says::serve); // with code 14
    (void)admin_.reset_group("G", "T", {.time = timestamp_ms{-1}, .queue = {}, .offset = {}});
    EXPECT_EQ(next_.count(request_code::invoke_broker_to_reset_offset), 1);
}

// It would take as long again.
TEST_F(admin_of_two_nodes, does_not_repeat_what_its_leader_is_slow_to_answer) {
    first_.on(request_code::get_max_offset, [](const seen_request&) { return script_says::stay_silent; });
    const auto status = admin_.status("T");
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.failure().code, errc::timed_out);
    EXPECT_EQ(first_.count(request_code::get_max_offset), 1);
}

TEST_F(admin_of_two_nodes, asks_the_next_leader_when_the_old_one_says_nothing_more) {
    change_leader_at(request_code::get_max_offset, script_says::stay_silent);
    const auto status = admin_.status("T");
    ASSERT_TRUE(status.ok()) << status.failure().message;
    EXPECT_EQ(next_.count(request_code::get_max_offset), 1);
}

TEST_F(admin_of_two_nodes, gives_up_when_nobody_leads) {
    next_.follow("");
    first_.follow("");
    const auto made = admin_.create_topic("new", {});
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.failure().code, errc::unavailable);
}

} // namespace
} // namespace holdfast::client
