// Transactions, delayed messages, retries, order and consumer offsets under kill -9: one broker dies again
// and again, and so do consumers, and in the end everything that was promised has come and nothing else
// (delivery_ledger.hpp, ordered_load.hpp).
//
//   HOLDFAST_CRASH_SECONDS  how long the hunt lasts (20)
//   HOLDFAST_CRASH_SEED     the first story's seed; printed
#include "tests/crash/delivery_load.hpp"
#include "tests/crash/ordered_load.hpp"
#include "tests/support/broker_process.hpp"
#include "tests/support/number_from.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <random>

namespace holdfast::crash {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using testing::broker_process;

struct totals {
    std::uint64_t kills = 0;
    std::uint64_t starts_killed = 0;
    std::uint64_t derived_lost = 0;
    std::uint64_t consumers_killed = 0;
    std::uint64_t confirmations = 0;
    delivery_ledger::counts messages;
};

// One data directory, one broker, and clients that stay.
class delivery_story {
  public:
    delivery_story(std::uint64_t seed, totals& sums) : random_(seed), sums_(sums), book_("deliveries", 4) {
        settings_ = {
            "--mappedFileSizeCommitLog=1M",
            "--maxMessageSize=64K",
            "--entryCacheBytes=1M",
            "--checkpointInterval=" + std::to_string(100 + pick(400)),
            "--checkpointBytes=1M",
            "--flushConsumerOffsetInterval=10",
            "--transactionTimeOut=300",
            "--transactionCheckInterval=300",
            "--transactionCheckMax=1000", // no half message is given up
            "--messageDelayLevel=1s",
            // A killed process leaves its pages to the kernel, so ASYNC_FLUSH has to keep its word, too.
            pick(4) == 0 ? "--flushDiskType=ASYNC_FLUSH" : "--flushDiskType=SYNC_FLUSH",
            "--logLevel=info",
        };
    }

    // What went wrong; empty = nothing.
    std::string run(std::chrono::milliseconds fire) {
        auto problem = start();
        if (problem.empty())
            problem = make_topics();
        if (problem.empty()) {
            delivery_load clients{book_, random_(), [port = broker_->broker_port()] { return port; },
                                  broker_->name_servers()};
            ordered_load in_order{broker_->name_servers(), random_()};
            problem = under_fire(clock::now() + fire);
            if (problem.empty())
                problem = afterwards(clients);
            if (problem.empty())
                problem = in_order.finish(20s);
            std::printf("%s\n", in_order.text().c_str());
            sums_.consumers_killed += clients.consumers_killed();
            sums_.confirmations += clients.confirmations();
        }
        if (problem.empty())
            problem = book_.scan(broker_->broker_port());
        sums_.messages += book_.sums();
        return problem.empty() ? problem : problem + "\nlog of the broker:\n" + broker_->log();
    }

  private:
    std::uint64_t pick(std::uint64_t below) { return random_() % below; }

    // On the same ports each time: that is where the clients look for it.
    std::string start(std::chrono::milliseconds start_timeout = 20s) {
        if (broker_ && ports_.empty())
            ports_ = {"--listenPort=" + std::to_string(broker_->broker_port()),
                      "--namesrvPort=" + std::to_string(broker_->name_service_port())};
        testing::broker_options options{
            .data = data_.path(), .settings = settings_, .start_timeout = start_timeout};
        options.settings.insert(options.settings.end(), ports_.begin(), ports_.end());
        broker_.reset();
        broker_.emplace(options);
        return broker_->ready() ? std::string{}
                                : "it does not start, exit status " + std::to_string(broker_->exit_status());
    }

    std::string make_topics() {
        wire_client client{broker_->broker_port()};
        for (const auto& [topic, queues] :
             {std::pair{book_.topic(), book_.queues()},
              std::pair{std::string{ordered_load::topic}, ordered_load::queues}}) {
            const auto made = client.ask(protocol::update_topic_request{
                .topic = topic, .read_queue_count = queues, .write_queue_count = queues});
            if (!made || !made->ok())
                return "the topic could not be made";
        }
        return {};
    }

    std::string kill_and_start() {
        broker_->kill();
        ++sums_.kills;
        if (pick(6) == 0) {
            std::filesystem::remove_all(data_.path() / "derived");
            ++sums_.derived_lost;
        }
        if (pick(5) == 0) {
            // Killed while it recovers, or just after.
            (void)start(std::chrono::milliseconds{pick(60)});
            broker_->kill();
            ++sums_.starts_killed;
        }
        return start();
    }

    std::string under_fire(clock::time_point until) {
        std::string problem;
        while (clock::now() < until && problem.empty()) {
            std::this_thread::sleep_for(std::chrono::milliseconds{30 + pick(700)});
            problem = kill_and_start();
            if (problem.empty())
                problem = book_.problem();
        }
        return problem;
    }

    std::string afterwards(delivery_load& clients) {
        clients.calm_down();
        const auto patience = clock::now() + 20s;
        while (book_.missing() != 0 && book_.problem().empty()) {
            if (clock::now() > patience)
                return book_.missing_in_words();
            std::this_thread::sleep_for(20ms);
        }
        // Whatever is still open is asked for now, and a rollback must show nothing.
        std::this_thread::sleep_for(700ms);
        if (!clients.confirm())
            return "the group's offsets could not be confirmed by a broker that nobody killed";
        const auto problem = kill_and_start();
        if (!problem.empty())
            return problem;
        // Everything is confirmed: nothing may come again.
        clients.consume_again();
        std::this_thread::sleep_for(500ms);
        return book_.problem().empty() ? book_.problem_of_order() : book_.problem();
    }

    std::mt19937_64 random_;
    totals& sums_;
    testing::temporary_directory data_;
    std::vector<std::string> settings_;
    std::vector<std::string> ports_;
    delivery_ledger book_;
    std::optional<broker_process> broker_;
};

TEST(crash, promised_deliveries_come_and_no_others) {
    const auto deadline =
        clock::now() + std::chrono::seconds{testing::number_from("HOLDFAST_CRASH_SECONDS", 20)};
    auto seed = testing::number_from("HOLDFAST_CRASH_SEED", std::random_device{}());
    totals sums;
    std::uint64_t stories = 0;
    do {
        std::printf("story with HOLDFAST_CRASH_SEED=%llu\n", static_cast<unsigned long long>(seed));
        std::fflush(stdout);
        const auto problem = delivery_story{seed, sums}.run(5s);
        ASSERT_EQ(problem, "") << "HOLDFAST_CRASH_SEED=" << seed << "\n" << sums.messages.text();
        ++seed;
        ++stories;
    } while (clock::now() + 8s < deadline);
    std::printf(
        "%llu stories, %llu times kill -9 (and %llu starts killed, %llu times the derived store lost, %llu "
        "consumers killed, offsets confirmed %llu times); %s\n",
        static_cast<unsigned long long>(stories), static_cast<unsigned long long>(sums.kills),
        static_cast<unsigned long long>(sums.starts_killed),
        static_cast<unsigned long long>(sums.derived_lost),
        static_cast<unsigned long long>(sums.consumers_killed),
        static_cast<unsigned long long>(sums.confirmations), sums.messages.text().c_str());
    EXPECT_GT(sums.messages.plain, 0U);
    EXPECT_GT(sums.messages.delayed, 0U);
    EXPECT_GT(sums.messages.commits, 0U);
    EXPECT_GT(sums.messages.rollbacks, 0U);
    EXPECT_GT(sums.messages.checks, 0U);
    EXPECT_GT(sums.messages.sent_back, 0U);
    EXPECT_GT(sums.messages.acks_confirmed, 0U);
    EXPECT_GT(sums.consumers_killed, 0U);
    EXPECT_GT(sums.confirmations, 0U);
}

} // namespace
} // namespace holdfast::crash
