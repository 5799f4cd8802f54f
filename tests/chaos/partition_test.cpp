// A group whose network falls apart in every way that three nodes and their clients can be separated, by
// packets that vanish (private_network.hpp), over TLS. Nothing answered is lost, those that can still make a
// majority and are reached by the clients go on, and when all is healed the three logs are the same.
#include "tests/chaos/group_load.hpp"
#include "tests/chaos/logs_agree.hpp"
#include "tests/chaos/node_group.hpp"
#include "tests/crash/delivery_load.hpp"
#include "tests/crash/load.hpp"
#include "tests/support/wait_for.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <functional>

namespace holdfast::chaos {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using direction = std::pair<std::size_t, std::size_t>;

constexpr auto patience = 40s;
constexpr auto least_cut = 2'500ms; // the election timeout is 1 s, the clients' silence limit too
constexpr auto clients = private_network::clients;

std::vector<direction> one_way(std::size_t from, const std::vector<std::size_t>& to) {
    std::vector<direction> all;
    for (const auto each : to)
        all.emplace_back(from, each);
    return all;
}

std::vector<direction> both_ways(std::size_t one, const std::vector<std::size_t>& others) {
    auto all = one_way(one, others);
    for (const auto each : others)
        all.emplace_back(each, one);
    return all;
}

class partitions : public ::testing::Test {
  protected:
    void SetUp() override {
        ASSERT_EQ(group_.encrypt(), "");
        for (std::size_t node = 0; node < nodes; ++node)
            group_.start(node);
        ASSERT_EQ(group_.wait_until_whole(0, patience), "") << group_.logs();
        const auto leader = group_.leader_broker();
        ASSERT_EQ(crash::make_topics(leader, book_), "");
        crash::wire_client client{leader};
        const auto made = client.ask(protocol::update_topic_request{
            .topic = deliveries_.topic(), .read_queue_count = 4, .write_queue_count = 4});
        ASSERT_TRUE(made && made->ok());
    }

    // Cuts for a while what `what` says, under load.
    void separate(const char* name, bool sends_go_on,
                  const std::function<std::vector<direction>(std::size_t leader,
                                                             std::vector<std::size_t> followers)>& what) {
        const auto leader = group_.leader();
        ASSERT_TRUE(leader) << name;
        std::vector<std::size_t> followers;
        for (std::size_t node = 0; node < nodes; ++node)
            if (node != *leader)
                followers.push_back(node);
        (void)plain_->take_longest_gap();
        const auto began = clock::now();
        for (const auto& [from, to] : what(*leader, followers))
            group_.cut(from, to);
        const auto cut_for = [&] { return clock::now() - began; };
        const auto answered = plain_->sends_answered_ok();
        if (sends_go_on) {
            EXPECT_TRUE(
                testing::wait_for(patience, [&] { return plain_->sends_answered_ok() > answered + 400; }))
                << name << ": those that are left answer no sends\n"
                << group_.logs();
        }
        std::this_thread::sleep_until(began + least_cut);
        const auto meanwhile = plain_->sends_answered_ok() - answered;
        const auto gap = plain_->take_longest_gap();
        const auto lasted = std::chrono::duration_cast<std::chrono::milliseconds>(cut_for());
        group_.heal();
        const auto healed = clock::now();
        const auto after = plain_->sends_answered_ok();
        EXPECT_TRUE(testing::wait_for(patience, [&] { return plain_->sends_answered_ok() > after + 20; }))
            << name << ": no send is answered after healing\n"
            << group_.logs();
        const auto goes_on = std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - healed);
        ASSERT_EQ(group_.wait_until_whole(small_lag, patience), "") << name << "\n" << group_.logs();
        const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - healed);
        EXPECT_EQ(deliveries_.problem(), "") << name;
        const auto now_leads = group_.leader();
        std::printf(
            "  %-26s cut %5lld ms, longest gap %5lld ms, %5llu answered; healed: a send after %4lld ms, "
            "whole after %4lld ms; leader %s > %s\n",
            name, static_cast<long long>(lasted.count()), static_cast<long long>(gap.count()),
            static_cast<unsigned long long>(meanwhile), static_cast<long long>(goes_on.count()),
            static_cast<long long>(whole.count()), node_group::name_of(*leader).c_str(),
            now_leads ? node_group::name_of(*now_leads).c_str() : "?");
        std::fflush(stdout);
    }

    void expect_all_there() {
        plain_->stop();
        others_->calm_down();
        EXPECT_TRUE(testing::wait_for(patience, [&] {
            return deliveries_.missing() == 0 || !deliveries_.problem().empty();
        })) << deliveries_.missing_in_words();
        ASSERT_EQ(group_.wait_until_whole(0, patience), "") << group_.logs();
        EXPECT_EQ(book_.verify(group_.leader_broker()), "") << group_.logs();
        EXPECT_EQ(deliveries_.scan(group_.leader_broker()), "") << group_.logs();
        others_.reset();
        const auto told = group_.status(*group_.leader());
        ASSERT_TRUE(told);
        std::vector<std::filesystem::path> all;
        for (std::size_t node = 0; node < nodes; ++node) {
            EXPECT_EQ(group_.stop(node), "");
            all.push_back(group_.data(node));
        }
        EXPECT_EQ(logs_agree(all, told->watermarks.committed), "") << group_.logs();
        for (const auto& node : all)
            EXPECT_EQ(audited(node), "");
        std::printf("%llu plain sends answered OK; %s\n",
                    static_cast<unsigned long long>(plain_->sends_answered_ok()),
                    deliveries_.sums().text().c_str());
    }

    static constexpr std::uint64_t small_lag = 256U << 10U;
    node_group group_{{"--mappedFileSizeCommitLog=4M", "--maxMessageSize=64K", "--entryCacheBytes=2M",
                       "--flushConsumerOffsetInterval=10", "--transactionTimeOut=300",
                       "--transactionCheckInterval=300", "--transactionCheckMax=1000",
                       "--messageDelayLevel=1s", "--logLevel=info"},
                      private_network::make_or_complain()};
    crash::ledger book_{{"orders", "audit"}, 4};
    crash::delivery_ledger deliveries_{"deliveries", 4};
    std::optional<group_load> plain_;
    std::optional<crash::delivery_load> others_;
};

TEST_F(partitions, lose_nothing_and_stop_no_majority) {
    plain_.emplace(book_, 1, group_.name_servers(), [this] { return group_.leader_broker(); });
    others_.emplace(
        deliveries_, 2, [this] { return group_.leader_broker(); }, group_.name_servers());
    ASSERT_TRUE(testing::wait_for(patience, [&] { return plain_->sends_answered_ok() > 200; }));
    using list = std::vector<std::size_t>;
    separate("leader from followers", true,
             [](auto leader, const list& followers) { return both_ways(leader, followers); });
    separate("a follower from the others", true, [](auto leader, const list& followers) {
        return both_ways(followers[0], {leader, followers[1]});
    });
    separate("leader > followers", true,
             [](auto leader, const list& followers) { return one_way(leader, followers); });
    separate("followers > leader", true, [](auto leader, const list& followers) {
        return std::vector<direction>{{followers[0], leader}, {followers[1], leader}};
    });
    separate("bridge: leader, a follower", true,
             [](auto leader, const list& followers) { return both_ways(leader, {followers[1]}); });
    if (group_.is_apart()) {
        separate("leader unplugged", true, [](auto leader, const list& followers) {
            return both_ways(leader, {followers[0], followers[1], clients});
        });
        separate("clients from the leader", false,
                 [](auto leader, const list&) { return both_ways(leader, {clients}); });
    }
    expect_all_there();
}

} // namespace
} // namespace holdfast::chaos
