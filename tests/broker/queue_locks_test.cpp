// Queue locks: the replicated part (queue_locks), who may have one (lock_keeper), and whose commits count
// (offset_fence).
#include "broker/queue_locks.hpp"

#include "broker/lock_keeper.hpp"
#include "broker/offset_fence.hpp"

#include <gtest/gtest.h>

#include <random>

namespace holdfast::broker {
namespace {

using namespace std::chrono_literals;

constexpr queue_key queue(std::uint32_t number) {
    return {topic_id{1}, queue_number{number}};
}

lock_change change_of(std::uint32_t number, std::string owner, std::uint64_t epoch) {
    return {queue(number), {std::move(owner), epoch}};
}

TEST(queue_locks, a_change_counts_only_with_the_epoch_that_follows) {
    queue_locks locks;
    EXPECT_FALSE(locks.apply("G", change_of(0, "a", 2))) << "the first epoch is 1";
    EXPECT_TRUE(locks.apply("G", change_of(0, "a", 1)));
    EXPECT_FALSE(locks.apply("G", change_of(0, "b", 1))) << "decided on the same state, but second";
    EXPECT_EQ(locks.find("G", queue(0)), (queue_lock{"a", 1}));
    EXPECT_TRUE(locks.apply("G", change_of(0, "", 2)));
    EXPECT_TRUE(locks.apply("G", change_of(0, "b", 3)));
    EXPECT_FALSE(locks.apply("G", change_of(0, "", 2))) << "the ex-owner's unlock comes late";
    EXPECT_EQ(locks.find("G", queue(0)), (queue_lock{"b", 3}));
    EXPECT_EQ(locks.find("H", queue(0)), std::nullopt) << "another group's";
}

TEST(queue_locks, go_with_their_group_and_their_topic) {
    queue_locks locks;
    locks.apply("G", change_of(0, "a", 1));
    locks.apply("H", change_of(0, "b", 1));
    locks.apply("H", {{topic_id{2}, queue_number{0}}, {"b", 1}});
    locks.forget_group("G");
    EXPECT_EQ(locks.find("G", queue(0)), std::nullopt);
    locks.forget_topic(topic_id{1});
    EXPECT_EQ(locks.find("H", queue(0)), std::nullopt);
    EXPECT_TRUE(locks.find("H", {topic_id{2}, queue_number{0}}));
    locks.forget_topic(topic_id{2});
    EXPECT_TRUE(locks.groups().empty());
}

TEST(queue_locks, changes_come_back_from_their_bytes_and_nothing_else_does) {
    const lock_changes changes{"G", {change_of(0, "10.0.0.1@1", 7), change_of(9, "", 1ULL << 40U)}};
    const auto bytes = encode(changes);
    const auto decoded = decode_lock_changes(as_bytes(bytes));
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(*decoded, changes);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut)
        EXPECT_FALSE(decode_lock_changes(as_bytes(bytes).first(cut)).ok()) << cut;
    auto endless = bytes;
    endless[4] = endless[5] = endless[6] = endless[7] = '\xff'; // the count
    EXPECT_FALSE(decode_lock_changes(as_bytes(endless)).ok());
}

// A log of locks with a keeper in front of it, as the consumer_group actor has them.
class kept_locks {
  public:
    std::vector<queue_key> lock(const std::string& client, const std::vector<queue_key>& wanted) {
        lock_batch batch;
        keeper_.lock(client, wanted, now, batch);
        write(batch);
        return keeper_.held(client, wanted, now);
    }
    void unlock(const std::string& client, const std::vector<queue_key>& given) {
        lock_batch batch;
        keeper_.unlock(client, given, batch);
        write(batch);
    }
    void write(const lock_batch& batch) {
        entries += batch.empty() ? 0 : 1;
        for (const auto& change : batch.changes())
            EXPECT_TRUE(durable.apply("G", change));
    }
    void restart() {
        keeper_ = lock_keeper{[this](queue_key at) { return durable.find("G", at); }, now, 60s};
    }
    lock_keeper& keeper() { return keeper_; }

    lock_keeper::instant now{1000s};
    queue_locks durable;
    int entries = 0; // of the log

  private:
    lock_keeper keeper_{[this](queue_key at) { return durable.find("G", at); }, now, 60s};
};

TEST(lock_keeper, a_queue_has_one_owner_and_refreshing_costs_no_entry) {
    kept_locks locks;
    EXPECT_EQ(locks.lock("a", {queue(0), queue(1)}).size(), 2U);
    EXPECT_EQ(locks.lock("b", {queue(0), queue(2)}), std::vector{queue(2)});
    EXPECT_EQ(locks.entries, 2);
    for (int i = 0; i < 10; ++i) {
        locks.now += 20s;
        EXPECT_EQ(locks.lock("a", {queue(0), queue(1)}).size(), 2U);
        EXPECT_TRUE(locks.lock("b", {queue(0)}).empty());
    }
    EXPECT_EQ(locks.entries, 2);
    EXPECT_EQ(locks.keeper().holder(queue(0), locks.now), "a");
    EXPECT_EQ(locks.keeper().holder(queue(2), locks.now), "") << "not refreshed for 200 s";
}

TEST(lock_keeper, a_lock_is_taken_over_only_a_minute_after_its_last_refresh) {
    kept_locks locks;
    locks.lock("a", {queue(0)});
    locks.now += 30s;
    locks.lock("a", {queue(0)});
    locks.now += 60s - 1ms;
    EXPECT_TRUE(locks.lock("b", {queue(0)}).empty());
    EXPECT_EQ(locks.keeper().holder(queue(0), locks.now), "a");
    locks.now += 1ms;
    EXPECT_EQ(locks.keeper().holder(queue(0), locks.now), "") << "expired, though nobody has taken it";
    EXPECT_EQ(locks.lock("b", {queue(0)}).size(), 1U);
    EXPECT_TRUE(locks.lock("a", {queue(0)}).empty()) << "the ex-owner comes back too late";
    EXPECT_EQ(locks.durable.find("G", queue(0))->epoch, 2U);
}

TEST(lock_keeper, an_expired_lock_that_nobody_took_goes_on) {
    kept_locks locks;
    locks.lock("a", {queue(0)});
    locks.now += 5min;
    EXPECT_EQ(locks.lock("a", {queue(0)}).size(), 1U);
    EXPECT_EQ(locks.entries, 1);
    EXPECT_EQ(locks.keeper().holder(queue(0), locks.now), "a");
}

TEST(lock_keeper, after_a_start_every_lock_counts_as_refreshed_then) {
    kept_locks locks;
    locks.lock("a", {queue(0)});
    locks.now += 59s;
    locks.restart();
    locks.now += 59s;
    EXPECT_TRUE(locks.lock("b", {queue(0)}).empty());
    locks.now += 1s;
    EXPECT_EQ(locks.lock("b", {queue(0)}).size(), 1U);
}

TEST(lock_keeper, only_the_owner_unlocks) {
    kept_locks locks;
    locks.lock("a", {queue(0)});
    locks.unlock("b", {queue(0), queue(1)});
    EXPECT_EQ(locks.entries, 1) << "nothing changed";
    locks.unlock("a", {queue(0)});
    EXPECT_EQ(locks.keeper().holder(queue(0), locks.now), "");
    EXPECT_EQ(locks.lock("b", {queue(0)}).size(), 1U) << "at once";
    locks.unlock("a", {queue(0)});
    EXPECT_EQ(locks.keeper().holder(queue(0), locks.now), "b");
}

TEST(lock_keeper, later_requests_of_a_batch_see_the_earlier_ones) {
    kept_locks locks;
    locks.lock("a", {queue(0)});
    lock_batch batch;
    locks.keeper().unlock("a", {queue(0)}, batch);
    locks.keeper().lock("b", {queue(0), queue(1)}, locks.now, batch);
    locks.keeper().lock("c", {queue(0), queue(1)}, locks.now, batch);
    EXPECT_EQ(batch.changes().size(), 3U);
    locks.write(batch);
    EXPECT_EQ(locks.durable.find("G", queue(0)), (queue_lock{"b", 3}));
    EXPECT_EQ(locks.durable.find("G", queue(1)), (queue_lock{"b", 1}));
}

TEST(lock_keeper, a_lock_given_anew_does_not_inherit_an_old_refresh) {
    kept_locks locks;
    locks.lock("a", {queue(0)});
    locks.now += 50s;
    locks.durable.forget_topic(topic_id{1}); // deleted and made again, with the same number for the test
    locks.lock("b", {queue(0)});
    locks.now += 59s;
    EXPECT_TRUE(locks.lock("a", {queue(0)}).empty());
    locks.keeper().tidy();
    EXPECT_EQ(locks.keeper().holder(queue(0), locks.now), "b") << "what is still there is remembered";
}

TEST(lock_keeper, a_batch_has_a_limit) {
    kept_locks locks;
    std::vector<queue_key> many;
    for (std::uint32_t i = 0; i < lock_batch::most_changes + 10; ++i)
        many.push_back(queue(i));
    EXPECT_EQ(locks.lock("a", many).size(), lock_batch::most_changes);
    EXPECT_EQ(locks.lock("a", many).size(), many.size()) << "the client asks again";
}

// Against the plainest model: a table of owner and time of the last refresh.
TEST(lock_keeper, does_what_a_naive_table_does) {
    struct entry {
        std::string owner;
        lock_keeper::instant refreshed;
    };
    int takeovers = 0;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        std::mt19937_64 random{seed};
        const auto below = [&](std::uint64_t end) { return random() % end; };
        kept_locks locks;
        std::map<queue_key, entry> table;
        for (int step = 0; step < 400; ++step) {
            locks.now += std::chrono::milliseconds{below(15'000)};
            const auto client = std::string(1, static_cast<char>('a' + below(3)));
            std::vector<queue_key> wanted;
            for (std::uint32_t i = 0; i < 4; ++i)
                if (below(2) == 0)
                    wanted.push_back(queue(i));
            if (below(8) == 0) {
                locks.unlock(client, wanted);
                for (const auto at : wanted)
                    if (table[at].owner == client)
                        table[at] = {};
                continue;
            }
            if (below(50) == 0) {
                locks.restart();
                for (auto& [at, held] : table)
                    held.refreshed = locks.now;
            }
            std::vector<queue_key> expected;
            for (const auto at : wanted) {
                auto& held = table[at];
                const bool expired = !held.owner.empty() && locks.now - held.refreshed >= 60s;
                takeovers += expired && held.owner != client ? 1 : 0;
                if (held.owner.empty() || held.owner == client || expired) {
                    held = {client, locks.now};
                    expected.push_back(at);
                }
            }
            ASSERT_EQ(locks.lock(client, wanted), expected) << "seed " << seed << ", step " << step;
        }
    }
    EXPECT_GT(takeovers, 20);
}

// --- whose commits count
// ----------------------------------------------------------------------------------------------

TEST(offset_fence, an_operators_tool_may_say_anything) {
    EXPECT_TRUE(commit_counts({.by_tool = true,
                               .lock_owner = "a",
                               .owner_is_known = true,
                               .is_reset = true,
                               .behind_the_end = true}));
}

TEST(offset_fence, a_consumer_counts_unless_another_one_has_the_queue) {
    for (const auto* const client : {"a", ""}) { // "": not joined yet
        EXPECT_TRUE(commit_counts({.client = client})) << "nobody has pulled since the start";
        EXPECT_FALSE(commit_counts({.client = client, .owner_is_known = true}));
    }
    EXPECT_TRUE(commit_counts({.client = "a", .owner_is_known = true, .by_owner = true}));
}

TEST(offset_fence, the_lock_says_more_than_the_pulls) {
    EXPECT_TRUE(commit_counts({.client = "a", .lock_owner = "a", .owner_is_known = true}));
    for (const auto* const client : {"b", ""})
        EXPECT_FALSE(
            commit_counts({.client = client, .lock_owner = "a", .owner_is_known = true, .by_owner = true}));
}

TEST(offset_fence, no_consumer_overrides_a_reset_or_commits_what_never_was) {
    for (const auto* const client : {"a", ""}) {
        EXPECT_FALSE(
            commit_counts({.client = client, .owner_is_known = true, .by_owner = true, .is_reset = true}));
        EXPECT_FALSE(commit_counts({.client = client, .behind_the_end = true}));
    }
}

} // namespace
} // namespace holdfast::broker
