#include "broker/snapshot.hpp"
#include "broker/state_store.hpp"

#include "tests/broker/delivery_log.hpp"
#include "tests/storage/temporary_directory.hpp"

#include <gtest/gtest.h>

namespace holdfast::broker {
namespace {

using testing::delivery_log;
using testing::delivery_model;

constexpr int seeds = 30;
constexpr int entries_a_log = 120;

// What a replica holds, as its owner would keep it: the state, and the queues' contents from its runs.
struct applied_log {
    state held;
    checkpoint_builder pending;
    std::map<queue_key, std::vector<storage::queue_index_entry>> queues;
    std::vector<testing::logged_entry> entries;
    log_position last_entry;

    void apply(const testing::logged_entry& entry) {
        state_changes changes;
        std::vector<queue_offset> given;
        ASSERT_TRUE(held.apply(entry.bytes.view(), entry.position, changes, given).ok());
        ASSERT_EQ(given, entry.offsets) << "entry at " << entry.position;
        held.collect_runs(changes);
        take(changes);
        entries.push_back(entry);
        last_entry = entry.position;
    }

    void take(const state_changes& changes) {
        pending.add(changes);
        for (const auto& run : changes.runs) {
            auto& queue = queues[run.queue];
            ASSERT_EQ(run.first.value(), static_cast<std::int64_t>(queue.size()));
            queue.insert(queue.end(), run.entries.begin(), run.entries.end());
        }
    }
};

void expect_same(const state& held, const delivery_model& model) {
    ASSERT_EQ(held.halves().size(), model.halves.size());
    auto half = model.halves.begin();
    held.halves().walk(log_position{0}, [&](const half_message& found) {
        EXPECT_EQ(found.position, half->first);
        EXPECT_EQ(found.number(), half->second.number);
        EXPECT_EQ(found.queue, half->second.queue);
        EXPECT_EQ(found.checks, half->second.checks);
        EXPECT_EQ(*found.group, half->second.group);
        EXPECT_EQ(held.halves().find(half->first), &found);
        return ++half != model.halves.end();
    });
    ASSERT_EQ(half, model.halves.end());
    ASSERT_EQ(held.delay(), model.delay);
    for (const auto& [queue, positions] : model.queues)
        ASSERT_EQ(held.next_offset(queue).value(), static_cast<std::int64_t>(positions.size()));
    std::uint32_t pending = 0;
    for (const auto& [block, use] : held.ledger().blocks())
        pending += use.pending;
    ASSERT_EQ(pending, model.delayed.size());
}

TEST(state_deliveries, mean_what_the_plainest_model_says) {
    int in_no_queue = 0;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        delivery_log log{seed};
        applied_log applied;
        for (int i = 0; i < entries_a_log; ++i) {
            applied.apply(log.next());
            ASSERT_NO_FATAL_FAILURE(expect_same(applied.held, log.model()));
        }
        for (const auto& [queue, positions] : log.model().queues) {
            const auto& entries = applied.queues[queue];
            ASSERT_EQ(entries.size(), positions.size());
            for (std::size_t i = 0; i < positions.size(); ++i) {
                ASSERT_EQ(entries[i].position, positions[i]);
                ASSERT_EQ(entries[i].by_reference, log.model().settled.contains(positions[i]) ? 1U : 0U);
            }
        }
        for (const auto& [position, record] : log.model().settled)
            in_no_queue += record.fate == storage::record_fate::topic_gone ? 1 : 0;
    }
    EXPECT_GT(in_no_queue, 10) << "no topic died under what waited for it: the test shows nothing";
}

// Clients see no difference between what older builds wrote and what this one writes, and an index entry has
// the size that is served.
TEST(state_deliveries, are_served_with_what_the_log_does_not_repeat) {
    int given_up = 0;
    int lean = 0;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        delivery_log log{seed};
        applied_log applied;
        for (int i = 0; i < entries_a_log; ++i)
            applied.apply(log.next());
        for (const auto& [queue, entries] : applied.queues) {
            timestamp_ms newest;
            for (const auto& where : entries) {
                const auto logged = std::prev(std::upper_bound(
                    applied.entries.begin(), applied.entries.end(), where.position,
                    [](log_position position, const auto& entry) { return position < entry.position; }));
                const auto settled = log.model().settled.find(where.position);
                const bool referred = settled != log.model().settled.end();
                const auto served =
                    served_record::of(logged->bytes.view(), where.position - logged->position,
                                      referred ? std::optional{settled->second} : std::nullopt);
                ASSERT_TRUE(served.ok());
                ASSERT_EQ(served->size(), where.size);
                std::vector<std::byte> copy(served->size());
                served->write(queue_offset{0}, copy.data());
                const auto message = protocol::decode_stored_message(copy);
                ASSERT_TRUE(message.ok());
                ASSERT_GE(message->stored, newest) << "times fall along the queue";
                newest = message->stored;
                if (!referred)
                    continue;
                const auto& record = log.model().records.at(where.position);
                const bool is_given_up = settled->second.fate == storage::record_fate::given_up;
                ASSERT_EQ(message->topic, is_given_up ? protocol::check_exhausted_topic : record.topic);
                ASSERT_EQ(message->property("REAL_TOPIC"),
                          record.lean ? std::optional<std::string_view>{record.topic} : std::nullopt);
                given_up += is_given_up ? 1 : 0;
                lean += record.lean ? 1 : 0;
            }
        }
    }
    EXPECT_GT(given_up, 0);
    EXPECT_GT(lean, 0);
}

TEST(state_deliveries, come_back_from_checkpoints) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        storage::testing::temporary_directory directory;
        auto store = storage::derived_store::open(directory.path() / "derived", "a-log");
        ASSERT_TRUE(store.ok());
        delivery_log log{seed};
        applied_log applied;
        for (int turn = 0; turn < 8; ++turn) {
            for (auto left = 1 + log.random().below(30); left > 0; --left)
                applied.apply(log.next());
            auto taken = applied.pending.take(applied.held, applied.last_entry);
            ASSERT_TRUE((*store)->write(std::move(taken.batch), log.end()).ok());

            auto loaded = load_state(**store);
            ASSERT_TRUE(loaded.ok());
            ASSERT_NO_FATAL_FAILURE(expect_same(*loaded, log.model()));
            ASSERT_EQ(loaded->ledger().blocks(), applied.held.ledger().blocks());

            const storage::delay_index delays{**store, loaded->delay().version, loaded->delay().cursor};
            const auto waiting = delays.due(timestamp_ms{1'000'000'000}, 100'000);
            ASSERT_TRUE(waiting.ok());
            ASSERT_EQ(waiting->messages.size(), log.model().delayed.size());
            auto expected = log.model().delayed.begin();
            for (const auto& message : waiting->messages) {
                ASSERT_EQ(message.key, expected->first);
                ASSERT_EQ(message.queue, expected->second);
                ++expected;
            }
            const storage::delivery_index settled{**store};
            storage::settled_block near;
            for (const auto& [position, fate] : log.model().settled) {
                ASSERT_EQ(*settled.find(position), fate);
                ASSERT_EQ(*settled.find(position, near), fate);
            }
            for (const auto& [position, half] : log.model().halves)
                ASSERT_EQ(*settled.find(position), std::nullopt);
        }
    }
}

// Retention takes the log's beginning while transactions and delays reach over the place where it is cut.
TEST(state_deliveries, survive_the_loss_of_the_store_and_of_the_logs_beginning) {
    int crossing = 0;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        storage::testing::temporary_directory directory;
        auto store = storage::derived_store::open(directory.path() / "derived", "a-log");
        ASSERT_TRUE(store.ok());
        delivery_log log{seed, false};
        applied_log original;
        for (int i = 0; i < entries_a_log; ++i)
            original.apply(log.next());
        auto taken = original.pending.take(original.held, original.last_entry);
        ASSERT_TRUE((*store)->write(std::move(taken.batch), log.end()).ok());

        // As late as what waits allows; the blocks of the ledger are wider than this log, so it is not asked.
        auto limit = original.entries[log.random().below(entries_a_log)].position;
        if (const auto oldest = original.held.halves().oldest())
            limit = std::min(limit, *oldest);
        for (const auto& [key, queue] : log.model().delayed)
            limit = std::min(limit, key.position);
        log_position first;
        for (const auto& entry : original.entries)
            if (entry.position <= limit)
                first = entry.position;

        std::vector<std::pair<queue_key, queue_offset>> firsts;
        for (const auto& [queue, positions] : log.model().queues) {
            std::int64_t expected = 0;
            for (std::size_t i = 0; i < positions.size(); ++i)
                if (positions[i] < first)
                    expected = static_cast<std::int64_t>(i) + 1;
            for (std::int64_t i = 0; i < expected; ++i)
                crossing += positions[static_cast<std::size_t>(i)] >= first ? 1 : 0;
            const queue_offset last{static_cast<std::int64_t>(positions.size())};
            const auto kept = first_kept(**store, queue, {queue_offset{0}, last}, {first, log.end()});
            ASSERT_TRUE(kept.ok());
            ASSERT_EQ(kept->value(), expected);
            if (expected > 0)
                firsts.emplace_back(queue, *kept);
        }
        const auto as_of = log.end();
        const auto encoded = encode_snapshot(original.held, first, as_of, firsts);
        for (int i = 0; i < 20; ++i)
            original.apply(log.next());

        const auto snapshot = decode_snapshot(as_bytes(encoded));
        ASSERT_TRUE(snapshot.ok());
        std::map<queue_key, std::map<queue_offset, storage::queue_index_entry>> rebuilt_queues;
        std::map<log_position, storage::settled_record> rebuilt_fates;
        const auto replay = [&](state& to, bool keep) {
            for (const auto& entry : original.entries) {
                if (entry.position < first || entry.position >= as_of)
                    continue;
                state_changes changes;
                ASSERT_TRUE(to.apply_messages(entry.bytes.view(), entry.position, changes).ok());
                to.collect_runs(changes);
                for (const auto& settled : changes.settled)
                    rebuilt_fates[settled.position] = settled;
                for (const auto& run : changes.runs)
                    for (std::size_t i = 0; keep && i < run.entries.size(); ++i)
                        rebuilt_queues[run.queue][run.first + static_cast<std::int64_t>(i)] = run.entries[i];
            }
        };
        auto counted = restore_snapshot(*snapshot);
        ASSERT_NO_FATAL_FAILURE(replay(counted, false));
        auto rebuilt = restore_snapshot(*snapshot, counted);
        ASSERT_TRUE(rebuilt.ok()) << rebuilt.failure().message;
        ASSERT_NO_FATAL_FAILURE(replay(*rebuilt, true));
        ASSERT_TRUE(check_against(*snapshot, *rebuilt).ok());
        for (const auto& entry : original.entries) {
            if (entry.position < as_of)
                continue;
            state_changes changes;
            std::vector<queue_offset> given;
            ASSERT_TRUE(rebuilt->apply(entry.bytes.view(), entry.position, changes, given).ok());
            ASSERT_EQ(given, entry.offsets);
            rebuilt->collect_runs(changes);
            for (const auto& settled : changes.settled)
                rebuilt_fates[settled.position] = settled;
            for (const auto& run : changes.runs)
                for (std::size_t i = 0; i < run.entries.size(); ++i)
                    rebuilt_queues[run.queue][run.first + static_cast<std::int64_t>(i)] = run.entries[i];
        }
        ASSERT_NO_FATAL_FAILURE(expect_same(*rebuilt, log.model()));
        const std::map<queue_key, queue_offset> begins(firsts.begin(), firsts.end());
        for (const auto& [queue, entries] : original.queues) {
            if (!log.model().queues.contains(queue))
                continue; // its topic is gone
            const auto begin = begins.contains(queue) ? begins.at(queue).value() : 0;
            for (auto i = begin; i < static_cast<std::int64_t>(entries.size()); ++i)
                ASSERT_EQ(rebuilt_queues[queue][queue_offset{i}], entries[static_cast<std::size_t>(i)])
                    << "queue " << queue.topic << '/' << queue.queue << " at " << i;
        }
        std::set<log_position> in_queues;
        for (const auto& [queue, positions] : log.model().queues)
            in_queues.insert(positions.begin(), positions.end());
        // When and after how many checks: all of it was decided behind the record, so the log still says it.
        // But not of what was in a topic that is gone by now: the snapshot does not know the topic any more.
        for (const auto& [position, fate] : log.model().settled) {
            const bool was_queued =
                fate.fate == storage::record_fate::queued || fate.fate == storage::record_fate::given_up;
            if (position < first || (was_queued && !in_queues.contains(position)))
                continue;
            ASSERT_EQ(rebuilt_fates[position].fate, fate.fate) << "record at " << position;
            ASSERT_EQ(rebuilt_fates[position].when, fate.when) << "record at " << position;
            ASSERT_EQ(rebuilt_fates[position].checks, fate.checks) << "record at " << position;
        }
    }
    EXPECT_GT(crossing, 0) << "no reference crossed the cut: the test shows nothing";
}

TEST(reference_ledger, keeps_what_waits_and_what_was_given_out_lately) {
    constexpr std::uint64_t block = 1U << reference_ledger::block_bits;
    reference_ledger ledger;
    ledger.parked(log_position{2 * block + 5});
    EXPECT_EQ(ledger.lower(log_position{5 * block}, timestamp_ms{1'000}).first, log_position{2 * block});
    ledger.unparked(log_position{2 * block + 5});
    ledger.referenced(log_position{2 * block + 5}, log_position{9 * block}, timestamp_ms{900});
    const auto all = ledger.lower(log_position{5 * block}, timestamp_ms{900});
    EXPECT_EQ(all.first, log_position{5 * block});
    EXPECT_GT(all.references, log_position{9 * block});
    EXPECT_EQ(ledger.lower(log_position{5 * block}, timestamp_ms{899}).first, log_position{2 * block})
        << "it came into its queue less than the retention time ago";
    EXPECT_EQ(ledger.lower(log_position{block}, timestamp_ms{0}).first, log_position{block});
    ledger.forget_below(log_position{3 * block});
    EXPECT_TRUE(ledger.blocks().empty());
}

} // namespace
} // namespace holdfast::broker
