// Three real nodes under load, and faults in an order that follows from one seed; in the end everything that
// was promised is there, once, and the three logs are the same.
//
//   HOLDFAST_CHAOS_SECONDS  how long faults are made (50)
//   HOLDFAST_CHAOS_SEED     the order of the faults; printed
#include "tests/chaos/group_load.hpp"
#include "tests/chaos/logs_agree.hpp"
#include "tests/chaos/node_group.hpp"
#include "tests/crash/delivery_load.hpp"
#include "tests/crash/load.hpp"
#include "tests/crash/ordered_load.hpp"
#include "tests/support/number_from.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <random>

namespace holdfast::chaos {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto patience = 40s;
constexpr std::uint64_t small_lag = 256U << 10U;

class chaos_story {
  public:
    explicit chaos_story(std::uint64_t seed)
        : random_(seed),
          group_({"--mappedFileSizeCommitLog=4M", "--maxMessageSize=64K", "--entryCacheBytes=2M",
                  "--checkpointInterval=300", "--checkpointBytes=2M", "--flushConsumerOffsetInterval=10",
                  "--transactionTimeOut=300", "--transactionCheckInterval=300", "--transactionCheckMax=1000",
                  "--messageDelayLevel=1s", "--flushDiskType=SYNC_FLUSH", "--logLevel=info"},
                 private_network::make_or_complain()),
          book_({"orders", "audit"}, 4),
          deliveries_("deliveries", 4) {}

    std::string run(clock::time_point until) {
        for (std::size_t node = 0; node < nodes; ++node)
            group_.start(node);
        auto problem = group_.wait_until_whole(small_lag, patience);
        if (problem.empty())
            problem = make_topics();
        if (problem.empty())
            problem = under_load(until);
        if (problem.empty())
            problem = compare();
        if (!problem.empty())
            std::printf("%s\n", group_.logs().c_str());
        return problem;
    }

  private:
    static constexpr std::size_t kinds = 11; // of faults
    using fault = std::string (chaos_story::*)();
    struct named_fault {
        const char* name;
        fault make;
    };

    std::uint64_t pick(std::uint64_t below) { return random_() % below; }
    std::chrono::milliseconds some_ms(std::uint64_t least, std::uint64_t most) {
        return std::chrono::milliseconds{least + pick(most - least + 1)};
    }
    std::size_t any_node() { return pick(nodes); }
    // Half of the faults are meant for the leader.
    std::size_t victim() {
        const auto other = any_node();
        return pick(2) == 0 ? group_.leader().value_or(other) : other;
    }

    std::string make_topics() {
        crash::wire_client client{group_.leader_broker()};
        auto problem = crash::make_topics(group_.leader_broker(), book_);
        for (const auto& [topic, queues] :
             {std::pair{deliveries_.topic(), deliveries_.queues()},
              std::pair{std::string{crash::ordered_load::topic}, crash::ordered_load::queues}}) {
            const auto made = client.ask(protocol::update_topic_request{
                .topic = topic, .read_queue_count = queues, .write_queue_count = queues});
            if (problem.empty() && (!made || !made->ok()))
                problem = "the topic " + topic + " could not be made";
        }
        return problem;
    }

    std::string under_load(clock::time_point until) {
        group_load plain{book_, random_(), group_.name_servers(), [this] { return group_.leader_broker(); }};
        crash::delivery_load others{deliveries_, random_(), [this] { return group_.leader_broker(); },
                                    group_.name_servers()};
        crash::ordered_load in_order{group_.name_servers(), random_()};
        std::string problem;
        std::optional<std::uint64_t> confirmed_before; // the leader changed
        // Each kind of fault at least once.
        while (problem.empty() && (clock::now() < until || faults_made_ < kinds)) {
            problem = one_fault(plain);
            if (leaders_ > 0 && !confirmed_before)
                confirmed_before = others.confirmations();
        }
        group_.heal();
        answered_ = plain.sends_answered_ok();
        plain.stop();
        if (problem.empty())
            problem = afterwards(others);
        if (problem.empty())
            problem = in_order.finish(patience);
        if (problem.empty() && (!confirmed_before || others.confirmations() == *confirmed_before))
            problem = "no offsets were confirmed after the leader had changed";
        std::printf(
            "%s; offsets confirmed %llu times, %llu of them before the leader changed; consumers killed "
            "%llu times\n",
            in_order.text().c_str(), static_cast<unsigned long long>(others.confirmations()),
            static_cast<unsigned long long>(confirmed_before.value_or(0)),
            static_cast<unsigned long long>(others.consumers_killed()));
        return problem;
    }

    std::string one_fault(group_load& plain) {
        static constexpr named_fault faults[]{{"kill one", &chaos_story::kill_one},
                                              {"kill two", &chaos_story::kill_two},
                                              {"kill all", &chaos_story::kill_all},
                                              {"freeze", &chaos_story::freeze},
                                              {"rolling restart", &chaos_story::roll},
                                              {"partition", &chaos_story::isolate},
                                              {"one-way partition", &chaos_story::cut_one},
                                              {"full disk", &chaos_story::full_disk},
                                              {"failing fsync", &chaos_story::failing_fsync},
                                              {"derived lost", &chaos_story::lose_derived},
                                              {"wiped", &chaos_story::wipe}};
        static_assert(std::size(faults) == kinds);
        std::this_thread::sleep_for(some_ms(100, 500));
        // Each kind once before any comes again.
        if (order_.empty())
            for (const auto& each : faults)
                order_.insert(order_.begin() + static_cast<std::ptrdiff_t>(pick(order_.size() + 1)), each);
        const auto next = order_.back();
        order_.pop_back();
        ++faults_made_;
        const auto ok_before = plain.sends_answered_ok();
        const auto leader_before = group_.leader();
        (void)plain.take_longest_gap();
        const auto began = clock::now();
        what_.clear();
        auto problem = (this->*next.make)();
        group_.heal();
        if (problem.empty())
            problem = group_.wait_until_whole(small_lag, patience);
        const auto answered = plain.sends_answered_ok();
        for (const auto deadline = clock::now() + patience;
             problem.empty() && plain.sends_answered_ok() < answered + 20;) {
            if (clock::now() > deadline)
                problem = "no send is answered any more";
            std::this_thread::sleep_for(10ms);
        }
        const auto leader_after = group_.leader();
        leaders_ += leader_before != leader_after ? 1U : 0U;
        const auto lasted = std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - began);
        std::printf("  %-17s %-6s %6lld ms, longest gap %5lld ms, %6llu answered; leader %s\n", next.name,
                    what_.c_str(), static_cast<long long>(lasted.count()),
                    static_cast<long long>(plain.take_longest_gap().count()),
                    static_cast<unsigned long long>(plain.sends_answered_ok() - ok_before),
                    leader_after ? node_group::name_of(*leader_after).c_str() : "?");
        std::fflush(stdout);
        if (problem.empty())
            problem = deliveries_.problem();
        return problem.empty() ? problem : std::string{next.name} + " " + what_ + ": " + problem;
    }

    void say(std::size_t node) { what_ += node_group::name_of(node); }

    std::string kill_these(const std::vector<std::size_t>& which) {
        for (const auto node : which) {
            say(node);
            group_.kill(node);
        }
        std::this_thread::sleep_for(some_ms(0, 1'500));
        for (const auto node : which)
            group_.start(node);
        return {};
    }
    std::string kill_one() { return kill_these({victim()}); }
    std::string kill_two() {
        const auto first = victim();
        return kill_these({first, (first + 1 + pick(2)) % nodes});
    }
    std::string kill_all() { return kill_these({0, 1, 2}); }

    std::string freeze() {
        const auto node = victim();
        say(node);
        group_.freeze(node);
        std::this_thread::sleep_for(some_ms(200, 4'000));
        group_.thaw(node);
        return {};
    }

    std::string roll() {
        std::string problem;
        for (std::size_t node = 0; node < nodes && problem.empty(); ++node) {
            say(node);
            problem = group_.stop(node);
            if (problem.empty()) {
                group_.start(node);
                problem = group_.wait_until_whole(small_lag, patience);
            }
        }
        return problem;
    }

    std::string isolate() {
        const auto node = victim();
        say(node);
        // From the other nodes; or from its clients, too.
        const bool unplugged = group_.is_apart() && pick(2) == 0;
        what_ += unplugged ? "*" : "";
        for (std::size_t other = 0; other < nodes + (unplugged ? 1 : 0); ++other) {
            if (other == node)
                continue;
            group_.cut(node, other);
            group_.cut(other, node);
        }
        std::this_thread::sleep_for(some_ms(200, 4'000));
        return {};
    }

    std::string cut_one() {
        const auto from = victim();
        const auto to = (from + 1 + pick(2)) % nodes;
        const bool backwards = pick(2) == 0;
        what_ = backwards ? node_group::name_of(to) + ">" + node_group::name_of(from)
                          : node_group::name_of(from) + ">" + node_group::name_of(to);
        group_.cut(backwards ? to : from, backwards ? from : to);
        std::this_thread::sleep_for(some_ms(500, 4'000));
        return {};
    }

    std::string restarted_with(const std::string& setting) {
        const auto node = victim();
        say(node);
        group_.kill(node);
        group_.start(node, {"--faultInjection=" + setting});
        std::this_thread::sleep_for(some_ms(500, 2'500));
        group_.kill(node);
        group_.start(node);
        return {};
    }
    std::string full_disk() { return restarted_with("space:full"); }
    std::string failing_fsync() { return restarted_with("sync:fail-after=" + std::to_string(pick(200))); }

    std::string lose_derived() {
        const auto node = victim();
        say(node);
        group_.kill(node);
        std::filesystem::remove_all(group_.data(node) / "derived");
        group_.start(node);
        return {};
    }

    // Only while the other two have everything: else it would be more than a group of three can bear.
    std::string wipe() {
        auto problem = group_.wait_until_whole(small_lag, patience);
        const auto node = victim();
        say(node);
        const auto before = incarnation_of(node);
        group_.kill(node);
        std::filesystem::remove_all(group_.data(node));
        group_.start(node);
        for (const auto deadline = clock::now() + patience;
             problem.empty() && (incarnation_of(node) == before || incarnation_of(node).empty());) {
            if (clock::now() > deadline)
                problem = "the wiped node is not a member again";
            std::this_thread::sleep_for(20ms);
        }
        return problem;
    }

    std::string incarnation_of(std::size_t node) {
        const auto leader = group_.leader();
        const auto told = leader ? group_.status(*leader) : std::nullopt;
        if (told)
            for (const auto& member : told->members)
                if (member.name == node_group::name_of(node) && member.voter)
                    return member.incarnation;
        return {};
    }

    std::string afterwards(crash::delivery_load& others) {
        others.calm_down();
        for (const auto deadline = clock::now() + patience;
             deliveries_.missing() != 0 && deliveries_.problem().empty();) {
            if (clock::now() > deadline)
                return deliveries_.missing_in_words();
            std::this_thread::sleep_for(20ms);
        }
        auto problem = group_.wait_until_whole(0, patience);
        if (problem.empty())
            problem = deliveries_.problem();
        if (problem.empty())
            problem = deliveries_.problem_of_order();
        if (problem.empty())
            problem = book_.verify(group_.leader_broker());
        if (problem.empty())
            problem = deliveries_.scan(group_.leader_broker());
        return problem;
    }

    std::string compare() {
        log_position committed{UINT64_MAX};
        for (std::size_t node = 0; node < nodes; ++node) {
            const auto told = group_.status(node);
            if (!told)
                return "node " + node_group::name_of(node) + " says nothing about itself";
            committed = std::min(committed, told->watermarks.committed);
        }
        for (std::size_t node = 0; node < nodes; ++node)
            if (auto problem = group_.stop(node); !problem.empty())
                return problem;
        std::vector<std::filesystem::path> all;
        for (std::size_t node = 0; node < nodes; ++node)
            all.push_back(group_.data(node));
        auto problem = logs_agree(all, committed);
        for (std::size_t node = 0; node < nodes && problem.empty(); ++node)
            problem = audited(all[node]);
        if (problem.empty())
            std::printf("%llu plain sends answered OK, %llu offsets committed, the leader changed %u times; "
                        "the logs agree up to %llu\n%s\n",
                        static_cast<unsigned long long>(answered_),
                        static_cast<unsigned long long>(book_.commits_answered()), leaders_,
                        static_cast<unsigned long long>(committed.value()),
                        deliveries_.sums().text().c_str());
        return problem;
    }

    std::mt19937_64 random_;
    node_group group_;
    crash::ledger book_;
    crash::delivery_ledger deliveries_;
    std::vector<named_fault> order_;
    std::string what_; // whom the present fault is for
    std::uint64_t answered_ = 0;
    unsigned leaders_ = 0;
    std::size_t faults_made_ = 0;
};

TEST(chaos, nothing_promised_is_lost_by_a_group_of_three) {
    const auto until =
        clock::now() + std::chrono::seconds{testing::number_from("HOLDFAST_CHAOS_SECONDS", 50)};
    const auto seed = testing::number_from("HOLDFAST_CHAOS_SEED", std::random_device{}());
    std::printf("HOLDFAST_CHAOS_SEED=%llu\n", static_cast<unsigned long long>(seed));
    std::fflush(stdout);
    ASSERT_EQ(chaos_story{seed}.run(until), "") << "HOLDFAST_CHAOS_SEED=" << seed;
}

} // namespace
} // namespace holdfast::chaos
