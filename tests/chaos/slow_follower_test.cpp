// Followers that take nothing, or little: they cost the leader a window each of memory, however much is sent
// meanwhile, and the senders nothing.
#include "client/producer.hpp"
#include "tests/chaos/node_group.hpp"
#include "tests/support/process_use.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <latch>

namespace holdfast::chaos {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 60s;
constexpr std::size_t body_bytes = 32U << 10U;
constexpr std::size_t outstanding = 256;
constexpr std::size_t round_bytes = std::size_t{64} << 20U;
constexpr std::size_t window_bytes = std::size_t{4} << 20U;
// What frames need on their way, caches that were not full yet, the allocator: half of what is sent
// meanwhile.
constexpr std::size_t slack_bytes = std::size_t{60} << 20U;

class slow_followers : public ::testing::Test {
  protected:
    void SetUp() override {
        for (std::size_t node = 0; node < nodes; ++node)
            group_.start(node);
        ASSERT_EQ(group_.wait_until_whole(0, patience), "") << group_.logs();
        client::producer_options options;
        options.client.name_servers = group_.name_servers();
        options.send_timeout = 30s;
        options.max_in_flight = outstanding;
        options.compress_over_bytes = 0;
        producer_.emplace(options);
        ASSERT_TRUE(producer_->start().ok());
        send_a_round("warm");
        leader_ = group_.leader().value_or(0);
    }

    // All of it is answered OK.
    void send_a_round(const char* what) {
        constexpr auto count = static_cast<std::ptrdiff_t>(round_bytes / body_bytes);
        std::latch done{count};
        std::atomic<int> failed{0};
        const auto began = std::chrono::steady_clock::now();
        for (std::ptrdiff_t i = 0; i < count; ++i)
            producer_->send_async({.topic = "bulk", .body = std::string(body_bytes, 'x')},
                                  [&](const client::send_result& answer) {
                                      failed += answer.ok() ? 0 : 1;
                                      done.count_down();
                                  });
        done.wait();
        EXPECT_EQ(failed, 0) << what << "\n" << group_.logs();
        const std::chrono::duration<double> lasted = std::chrono::steady_clock::now() - began;
        std::printf("%s: %.0f MiB/s, the leader has %zu MiB\n", what,
                    static_cast<double>(round_bytes >> 20U) / lasted.count(),
                    testing::resident_bytes(group_.pid(leader_)) >> 20U);
    }

    void expect_bounded(std::size_t before) {
        EXPECT_LT(testing::resident_bytes(group_.pid(leader_)), before + window_bytes + slack_bytes);
        EXPECT_EQ(group_.leader(), leader_);
    }

    [[nodiscard]] std::size_t follower() const { return (leader_ + 1) % nodes; }

    node_group group_{{"--mappedFileSizeCommitLog=16M", "--maxMessageSize=64K", "--entryCacheBytes=8M",
                       "--replicationWindowBytes=4M", "--logLevel=info"}};
    std::optional<client::producer> producer_;
    std::size_t leader_ = 0;
};

TEST_F(slow_followers, one_that_is_frozen_costs_a_window) {
    const auto before = testing::resident_bytes(group_.pid(leader_));
    group_.freeze(follower());
    send_a_round("a follower frozen");
    send_a_round("a follower frozen");
    expect_bounded(before);
    group_.thaw(follower());
    EXPECT_EQ(group_.wait_until_whole(0, patience), "") << group_.logs();
}

TEST_F(slow_followers, one_behind_a_slow_link_costs_a_window) {
    const auto before = testing::resident_bytes(group_.pid(leader_));
    group_.network().slow_down(follower(), std::size_t{1} << 20U);
    send_a_round("a follower at 1 MiB/s");
    send_a_round("a follower at 1 MiB/s");
    expect_bounded(before);
    group_.network().slow_down(0);
    EXPECT_EQ(group_.wait_until_whole(0, patience), "") << group_.logs();
}

} // namespace
} // namespace holdfast::chaos
