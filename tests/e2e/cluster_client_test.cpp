// The C++ client library against three real nodes, while the leader is killed: producers, transactions and
// consumers ride through it, nothing that was answered is lost, and no transaction is decided twice.
#include "client/admin.hpp"
#include "client/producer.hpp"
#include "client/push_consumer.hpp"
#include "client/transaction_producer.hpp"
#include "tests/chaos/node_group.hpp"
#include "tests/support/wait_for.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <map>
#include <mutex>
#include <set>
#include <thread>

namespace holdfast::e2e {
namespace {

using namespace std::chrono_literals;
using chaos::node_group;
using client::transaction_decision;
using clock = std::chrono::steady_clock;

constexpr auto patience = 40s;      // of one step
constexpr auto all_patience = 150s; // less than CMakeLists.txt gives the test

// What was answered OK, and what is still waited for.
class notes {
  public:
    void add(const std::string& body) {
        const std::lock_guard guard{mutex_};
        bodies_.insert(body);
    }
    [[nodiscard]] std::set<std::string> all() const {
        const std::lock_guard guard{mutex_};
        return bodies_;
    }
    [[nodiscard]] std::size_t count() const {
        const std::lock_guard guard{mutex_};
        return bodies_.size();
    }

  private:
    mutable std::mutex mutex_;
    std::set<std::string> bodies_;
};

// What a consumer got: every place (queue, offset) a body was seen at, and the order within queues.
class inbox {
  public:
    using place = std::pair<std::uint32_t, std::int64_t>;

    void put(const client::delivery& got) {
        const std::uint32_t queue = got.queue().queue.value();
        const std::lock_guard guard{mutex_};
        places_[std::string{got.body()}].insert({queue, got.offset().value()});
        // One by one, or from an earlier one on again.
        auto& next = next_[queue];
        gaps_ += got.offset().value() > next ? 1 : 0;
        next = std::max(next, got.offset().value() + 1);
        ++deliveries_;
    }
    [[nodiscard]] std::size_t deliveries() const {
        const std::lock_guard guard{mutex_};
        return deliveries_;
    }
    [[nodiscard]] int gaps() const {
        const std::lock_guard guard{mutex_};
        return gaps_;
    }
    [[nodiscard]] std::size_t missing(const std::set<std::string>& wanted) const {
        const std::lock_guard guard{mutex_};
        return static_cast<std::size_t>(std::count_if(
            wanted.begin(), wanted.end(), [&](const std::string& body) { return !places_.contains(body); }));
    }
    [[nodiscard]] std::map<std::string, std::set<place>> places() const {
        const std::lock_guard guard{mutex_};
        return places_;
    }

  private:
    mutable std::mutex mutex_;
    std::map<std::string, std::set<place>> places_;
    std::map<std::uint32_t, std::int64_t> next_;
    std::size_t deliveries_ = 0;
    int gaps_ = 0;
};

class cluster_clients : public ::testing::Test {
  protected:
    void SetUp() override {
        for (std::size_t node = 0; node < chaos::nodes; ++node)
            group_.start(node);
        ASSERT_EQ(group_.wait_until_whole(0, time_left()), "") << group_.logs();
        client::admin admin{to_group()};
        ASSERT_TRUE(admin.start().ok());
        for (const char* topic : {"plain", "ordered", "transactions"})
            ASSERT_TRUE(admin.create_topic(topic, {.read_queues = 3, .write_queues = 3}).ok());
    }
    void TearDown() override {
        running_ = false;
        for (auto& each : senders_)
            each.join();
        if (HasFailure())
            std::printf("%s\n", group_.logs().c_str());
    }

    // What is left for a step: a test that fails says so before it is ended.
    [[nodiscard]] std::chrono::milliseconds time_left() const {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end_ - clock::now());
        return std::clamp<std::chrono::milliseconds>(left, 0ms, patience);
    }
    template <class Condition>
    bool wait_for(Condition holds) const {
        return testing::wait_for(time_left(), holds);
    }
    [[nodiscard]] client::client_options to_group() const { return {.name_servers = group_.name_servers()}; }
    std::unique_ptr<client::push_consumer> consume(const std::string& topic, inbox& to, bool ordered) {
        client::push_consumer_options options;
        options.client = to_group();
        options.group = "CID_" + topic;
        options.from = client::consume_from::first;
        options.ordered = ordered;
        options.commit_interval = 200ms;
        auto made = std::make_unique<client::push_consumer>(options);
        EXPECT_TRUE(made->subscribe(topic).ok());
        EXPECT_TRUE(made->start([&to](client::delivery got) {
                            to.put(got);
                            got.ack();
                        })
                        .ok());
        return made;
    }
    // Calls `send` with 0, 1, 2, ... until the end.
    void keep_sending(std::function<void(int)> send) {
        senders_.emplace_back([this, send = std::move(send)] {
            for (int number = 0; running_; ++number)
                send(number);
        });
    }
    void send_plain() {
        keep_sending([this](int number) {
            const auto body = "plain " + std::to_string(number);
            if (producer_.send({.topic = "plain", .body = body}).ok())
                plain_.add(body);
        });
    }
    void send_ordered() {
        keep_sending([this](int number) {
            const auto body = "ordered " + std::to_string(number);
            const auto queue = static_cast<std::size_t>(number) % 3;
            if (producer_
                    .send({.topic = "ordered", .body = body}, [=](const auto&, const auto&) { return queue; })
                    .ok())
                ordered_.add(body);
        });
    }
    // Each third one is rolled back.
    static transaction_decision decision_on(int number) {
        return number % 3 == 0 ? transaction_decision::rollback : transaction_decision::commit;
    }
    void send_transactions() {
        keep_sending([this](int number) {
            const auto body = "transaction " + std::to_string(number);
            present_ = number;
            const auto sent =
                transactions_->send({.topic = "transactions", .body = body}, [&](const auto&, const auto&) {
                    decided_.add(body);
                    return decision_on(number);
                });
            if (sent.half.ok() && sent.decision == transaction_decision::commit)
                committed_.add(body);
            told_ += sent.half.ok() && sent.told.ok() ? 1 : 0;
            untold_ += sent.half.ok() && !sent.told.ok() ? 1 : 0;
        });
    }
    void start_transactions() {
        client::transaction_producer_options options;
        options.sending.client = to_group();
        options.sending.group = "PID_transactions";
        options.sending.retries = 0; // a second half message would be a second message
        options.sending.send_timeout = 20s;
        options.confirm_decisions = true;
        // Of a half message whose send was not answered the local transaction never ran.
        transactions_ =
            std::make_unique<client::transaction_producer>(options, [this](const client::message_view& half) {
                const std::string body{half.plain_body()};
                const int number = std::stoi(body.substr(body.find(' ')));
                if (number == present_)
                    return transaction_decision::unknown;
                return decided_.all().contains(body) ? decision_on(number) : transaction_decision::rollback;
            });
        ASSERT_TRUE(transactions_->start().ok());
    }
    // Until clients have done this much more.
    void expect_progress(const char* when) {
        const auto began = clock::now();
        const auto expect_more = [&](const char* who, const std::function<std::size_t()>& count) {
            const auto wanted = count() + 20;
            EXPECT_TRUE(wait_for([&] { return count() >= wanted; })) << who << " does not go on " << when;
            const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - began);
            std::printf("%s: %s went on after %lld ms\n", when, who, static_cast<long long>(waited.count()));
        };
        expect_more("the producer", [&] { return plain_.count(); });
        expect_more("the concurrent consumer", [&] { return plain_box_.deliveries(); });
        expect_more("the ordered consumer", [&] { return ordered_box_.deliveries(); });
        expect_more("the transaction producer", [&] { return committed_.count(); });
        expect_more("the consumer of transactions", [&] { return transactions_box_.deliveries(); });
    }
    void kill_leader() {
        const auto leader = group_.leader();
        ASSERT_TRUE(leader.has_value());
        group_.kill(*leader);
        expect_progress(("after the death of " + node_group::name_of(*leader)).c_str());
        group_.start(*leader);
        ASSERT_EQ(group_.wait_until_whole(64U << 10U, time_left()), "");
    }
    void start_producer() { ASSERT_TRUE(producer_.start().ok()); }
    client::producer_options producer_options() const {
        client::producer_options options;
        options.client = to_group();
        options.send_timeout = 20s;
        return options;
    }

    const clock::time_point end_ = clock::now() + all_patience;
    node_group group_{{"--transactionTimeOut=1000", "--transactionCheckInterval=500", "--logLevel=info",
                       "--mappedFileSizeCommitLog=16M"}};
    client::producer producer_{producer_options()};
    std::unique_ptr<client::transaction_producer> transactions_;
    std::atomic<bool> running_{true};
    std::vector<std::thread> senders_;
    notes plain_;
    notes ordered_;
    notes decided_;
    notes committed_;
    std::atomic<int> present_{-1}; // the transaction under way
    std::atomic<int> told_{0};
    std::atomic<int> untold_{0};
    inbox plain_box_;
    inbox ordered_box_;
    inbox transactions_box_;
};

TEST_F(cluster_clients, ride_through_the_deaths_of_two_leaders) {
    start_producer();
    start_transactions();
    const auto plain = consume("plain", plain_box_, false);
    const auto ordered = consume("ordered", ordered_box_, true);
    const auto decided = consume("transactions", transactions_box_, false);
    send_plain();
    send_ordered();
    send_transactions();
    expect_progress("at the beginning");
    for (int death = 0; death < 2; ++death)
        kill_leader();
    running_ = false;
    for (auto& each : senders_)
        each.join();
    senders_.clear();

    EXPECT_TRUE(wait_for([&] { return plain_box_.missing(plain_.all()) == 0; }));
    EXPECT_TRUE(wait_for([&] { return ordered_box_.missing(ordered_.all()) == 0; }));
    EXPECT_TRUE(wait_for([&] { return transactions_box_.missing(committed_.all()) == 0; }));
    EXPECT_EQ(ordered_box_.gaps(), 0) << "a message was given before one that stands in front of it";
    EXPECT_EQ(untold_, 0) << "decisions are told to the next leader";
    const auto committed = committed_.all();
    for (const auto& [body, places] : transactions_box_.places()) {
        EXPECT_TRUE(committed.contains(body)) << body << " was rolled back";
        EXPECT_EQ(places.size(), 1U) << body << " was decided more than once";
    }
    std::printf("%zu plain, %zu ordered, %zu of %d transactions committed\n", plain_.count(),
                ordered_.count(), committed_.count(), told_.load());
}

} // namespace
} // namespace holdfast::e2e
