#include "client/in_flight.hpp"
#include "client/in_flight_limit.hpp"

#include <gtest/gtest.h>
#include <limits>
#include <map>
#include <random>
#include <thread>

namespace holdfast::client {
namespace {

using clock = in_flight::clock;

class silent_call : public pending_call {
  public:
    void answered(const answer&) override {}
    void failed(const call_failure&) override {}
};

std::shared_ptr<pending_call> make_call() {
    return std::make_shared<silent_call>();
}

TEST(in_flight, finds_each_call_once_by_its_opaque) {
    in_flight table{100};
    const auto first = make_call();
    const auto second = make_call();
    const auto one = table.add(first, clock::time_point::max());
    const auto two = table.add(second, clock::time_point::max());
    EXPECT_NE(one, 0);
    EXPECT_NE(one, two);
    EXPECT_EQ(table.take(two), second);
    EXPECT_EQ(table.take(two), nullptr);
    EXPECT_EQ(table.take(one), first);
    EXPECT_EQ(table.take(0), nullptr);
    EXPECT_EQ(table.take(-5), nullptr);
    EXPECT_EQ(table.take(std::numeric_limits<std::int32_t>::max()), nullptr);
    EXPECT_EQ(table.size(), 0U);
}

TEST(in_flight, refuses_more_than_its_bound) {
    in_flight table{3};
    const auto one = table.add(make_call(), clock::time_point::max());
    EXPECT_NE(table.add(make_call(), clock::time_point::max()), 0);
    EXPECT_NE(table.add(make_call(), clock::time_point::max()), 0);
    EXPECT_EQ(table.add(make_call(), clock::time_point::max()), 0);
    table.take(one);
    EXPECT_NE(table.add(make_call(), clock::time_point::max()), 0);
}

TEST(in_flight, expires_what_is_due_and_knows_the_next_deadline) {
    in_flight table{100};
    const clock::time_point now{std::chrono::seconds{1'000}};
    const auto late = make_call();
    table.add(late, now + std::chrono::milliseconds{10});
    const auto kept = table.add(make_call(), now + std::chrono::milliseconds{20});
    EXPECT_EQ(table.next_deadline(), now + std::chrono::milliseconds{10});
    std::vector<std::shared_ptr<pending_call>> out;
    table.expire(now + std::chrono::milliseconds{9}, out);
    EXPECT_TRUE(out.empty());
    table.expire(now + std::chrono::milliseconds{10}, out);
    ASSERT_EQ(out.size(), 1U);
    EXPECT_EQ(out[0], late);
    EXPECT_EQ(table.next_deadline(), now + std::chrono::milliseconds{20});
    EXPECT_NE(table.take(kept), nullptr);
}

// A long poll keeps its slot while thousands of short calls pass by it.
TEST(in_flight, goes_around_slots_that_are_held_for_long) {
    in_flight table{1'000};
    std::map<std::int32_t, std::shared_ptr<pending_call>> held;
    std::mt19937 random{7}; // NOLINT(cert-msc51-cpp): reproducible
    for (int round = 0; round < 50'000; ++round) {
        const auto call = make_call();
        const auto opaque = table.add(call, clock::time_point::max());
        ASSERT_NE(opaque, 0);
        ASSERT_FALSE(held.contains(opaque));
        held[opaque] = call;
        while (held.size() > 700 || (!held.empty() && random() % 3 == 0)) {
            auto at = held.begin();
            std::advance(at, static_cast<std::ptrdiff_t>(random() % held.size()));
            ASSERT_EQ(table.take(at->first), at->second);
            held.erase(at);
        }
        ASSERT_EQ(table.size(), held.size());
    }
    std::vector<std::shared_ptr<pending_call>> rest;
    table.take_all(rest);
    EXPECT_EQ(rest.size(), held.size());
    EXPECT_EQ(table.size(), 0U);
}

TEST(in_flight_limit, bounds_messages_and_bytes) {
    in_flight_limit limit{3, 100};
    EXPECT_TRUE(limit.try_take(50));
    EXPECT_FALSE(limit.try_take(51));
    EXPECT_TRUE(limit.try_take(50));
    EXPECT_FALSE(limit.try_take(1));
    limit.give_back(50);
    EXPECT_TRUE(limit.try_take(1));
    EXPECT_TRUE(limit.try_take(1));
    EXPECT_FALSE(limit.try_take(1));
    EXPECT_EQ(limit.messages(), 3U);
}

TEST(in_flight_limit, lets_a_giant_through_alone) {
    in_flight_limit limit{3, 100};
    EXPECT_TRUE(limit.try_take(1'000));
    EXPECT_FALSE(limit.try_take(1));
    limit.give_back(1'000);
    EXPECT_TRUE(limit.try_take(1));
    EXPECT_FALSE(limit.try_take(1'000));
}

TEST(in_flight_limit, waits_for_room_but_not_beyond_the_deadline) {
    in_flight_limit limit{1, 100};
    ASSERT_TRUE(limit.try_take(1));
    EXPECT_FALSE(limit.take(1, clock::now()));
    std::thread giver{[&] { limit.give_back(1); }};
    EXPECT_TRUE(limit.take(1, clock::now() + std::chrono::seconds{10}));
    giver.join();
    EXPECT_EQ(limit.messages(), 1U);
}

TEST(in_flight_limit, stops_waiters_when_it_closes) {
    in_flight_limit limit{1, 100};
    ASSERT_TRUE(limit.try_take(1));
    std::thread closer{[&] { limit.close(); }};
    EXPECT_FALSE(limit.take(1, clock::now() + std::chrono::seconds{10}));
    closer.join();
    std::thread giver{[&] { limit.give_back(1); }};
    limit.wait_until_empty();
    giver.join();
    EXPECT_FALSE(limit.try_take(1));
}

// Many threads through a narrow door: never more than the bound at once, and nobody is left waiting.
TEST(in_flight_limit, loses_no_wakeup) {
    in_flight_limit limit{2, 1'000'000};
    std::atomic<int> inside{0};
    std::atomic<bool> overfull{false};
    std::vector<std::thread> senders;
    for (int thread = 0; thread < 4; ++thread)
        senders.emplace_back([&] {
            for (int round = 0; round < 2'000; ++round) {
                ASSERT_TRUE(limit.take(10, clock::now() + std::chrono::seconds{60}));
                if (++inside > 2)
                    overfull = true;
                --inside;
                limit.give_back(10);
            }
        });
    for (std::thread& each : senders)
        each.join();
    EXPECT_FALSE(overfull);
    EXPECT_EQ(limit.messages(), 0U);
}

} // namespace
} // namespace holdfast::client
