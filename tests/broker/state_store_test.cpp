#include "broker/snapshot.hpp"
#include "broker/state_store.hpp"

#include "tests/broker/random_log.hpp"
#include "tests/storage/temporary_directory.hpp"

#include <gtest/gtest.h>

namespace holdfast::broker {
namespace {

using testing::describe;
using testing::random_log;

state with_next_topic(topic_id next) {
    state made;
    made.restore_next_topic_id(next);
    return made;
}

// A log that is applied and, every now and then, checkpointed into a real derived store.
class checkpointed_log {
  public:
    explicit checkpointed_log(std::uint64_t seed) : log_(seed) {
        auto opened = storage::derived_store::open(directory_.path() / "derived", "a-log");
        EXPECT_TRUE(opened.ok());
        store_ = std::move(*opened);
    }

    void grow(int entries) {
        for (; entries > 0; --entries) {
            const auto entry = log_.next();
            state_changes changes;
            std::vector<queue_offset> given;
            ASSERT_TRUE(held_.apply(entry.bytes.view(), entry.position, changes, given).ok());
            held_.collect_runs(changes);
            pending_.add(changes);
            last_entry_ = entry.position;
        }
    }

    // Retention as the commit log carries it out: a fact among the others.
    void trim(log_position first, std::vector<std::pair<queue_key, queue_offset>> firsts) {
        state_changes changes;
        changes.facts.emplace_back(log_trimmed{first, std::move(firsts)});
        pending_.add(changes);
    }

    void checkpoint() {
        auto taken = pending_.take(held_, last_entry_);
        ASSERT_TRUE(pending_.empty());
        ASSERT_TRUE(store_->write(std::move(taken.batch), log_.end()).ok());
    }

    // What a start finds.
    state loaded() {
        auto found = load_state(*store_);
        EXPECT_TRUE(found.ok());
        return std::move(*found);
    }

    random_log& log() { return log_; }
    [[nodiscard]] const state& held() const { return held_; }
    [[nodiscard]] const checkpoint_builder& pending() const { return pending_; }
    [[nodiscard]] storage::derived_store& store() { return *store_; }
    [[nodiscard]] log_position last_entry() const { return last_entry_; }

  private:
    storage::testing::temporary_directory directory_;
    std::unique_ptr<storage::derived_store> store_;
    random_log log_;
    state held_;
    checkpoint_builder pending_;
    log_position last_entry_;
};

TEST(state_store, an_empty_store_is_an_empty_state) {
    checkpointed_log log{1};
    EXPECT_EQ(describe(log.loaded()), describe(state{}));
    EXPECT_EQ(*load_last_entry(log.store()), log_position{0});
    EXPECT_TRUE(log.pending().empty());
}

TEST(state_store, what_is_loaded_is_the_state_at_the_last_checkpoint) {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        checkpointed_log log{seed};
        for (int turn = 0; turn < 12; ++turn) {
            log.grow(static_cast<int>(1 + log.log().random().below(40)));
            log.checkpoint();
            ASSERT_EQ(describe(log.loaded()), describe(log.held())) << "seed " << seed << ", turn " << turn;
            ASSERT_EQ(*load_last_entry(log.store()), log.last_entry());
            ASSERT_EQ(log.store().applied(), log.log().end());
        }
    }
}

TEST(state_store, the_index_of_every_queue_is_in_the_store_as_it_was_given_out) {
    std::size_t messages = 0;
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        checkpointed_log log{seed};
        for (int turn = 0; turn < 6; ++turn) {
            log.grow(50);
            log.checkpoint();
        }
        for (const auto& [queue, positions] : log.log().model().messages) {
            const auto stored =
                storage::read_queue_index(log.store(), queue, queue_offset{0}, positions.size() + 1);
            ASSERT_TRUE(stored.ok());
            ASSERT_EQ(stored->size(), positions.size());
            for (std::size_t i = 0; i < positions.size(); ++i)
                ASSERT_EQ((*stored)[i].position, positions[i]);
            messages += positions.size();
        }
    }
    EXPECT_GT(messages, 0U);
}

// A run is cut where it gets long; nothing is lost between the pieces.
TEST(state_store, a_long_queue_comes_back_whole_and_a_trim_forgets_its_beginning) {
    checkpointed_log log{1};
    topic_config topic;
    topic.name = "long";
    topic.id = topic_id{1};
    const queue_key queue{topic_id{1}, queue_number{0}};
    state_changes changes;
    changes.facts.emplace_back(topic_put{std::make_shared<const topic_config>(topic)});
    queue_run run{queue, queue_offset{0}, {}};
    for (std::uint32_t i = 0; i < 5000; ++i)
        run.entries.push_back({log_position{1000 + i * 128ULL}, 100, static_cast<std::int32_t>(i)});
    changes.runs.push_back(run);
    checkpoint_builder builder;
    builder.add(changes);
    EXPECT_EQ(builder.size(), 5001U);
    ASSERT_TRUE(log.store()
                    .write(builder.take(with_next_topic(topic_id{2}), log_position{0}).batch, log_position{1})
                    .ok());
    EXPECT_EQ(*storage::read_queue_index(log.store(), queue, queue_offset{0}, 6000), run.entries);
    EXPECT_EQ(log.loaded().next_offset(queue), queue_offset{5000});

    changes = {};
    changes.facts.emplace_back(
        log_trimmed{log_position{1000 + 3000 * 128ULL}, {{queue, queue_offset{3000}}}});
    builder.add(changes);
    ASSERT_TRUE(log.store()
                    .write(builder.take(with_next_topic(topic_id{2}), log_position{0}).batch, log_position{2})
                    .ok());
    const auto loaded = log.loaded();
    EXPECT_EQ(loaded.first_offset(queue), queue_offset{3000});
    EXPECT_EQ(loaded.next_offset(queue), queue_offset{5000});
    EXPECT_EQ(loaded.first_position(), log_position{1000 + 3000 * 128ULL});
    EXPECT_EQ(storage::read_queue_index(log.store(), queue, queue_offset{3000}, 6000)->size(), 2000U);
    EXPECT_TRUE(storage::read_queue_index(log.store(), queue, queue_offset{0}, 10)->empty());
}

TEST(state_store, a_group_deleted_takes_only_its_own_offsets) {
    checkpointed_log log{1};
    topic_config topic;
    topic.name = "T";
    topic.id = topic_id{1};
    const queue_key queue{topic_id{1}, queue_number{0}};
    state_changes changes;
    changes.facts.emplace_back(topic_put{std::make_shared<const topic_config>(topic)});
    for (const auto* const group : {"a", "ab", "abc"})
        changes.facts.emplace_back(offset_commit{group, queue, queue_offset{1}});
    changes.facts.emplace_back(group_deleted{"ab"});
    checkpoint_builder builder;
    builder.add(changes);
    ASSERT_TRUE(log.store()
                    .write(builder.take(with_next_topic(topic_id{2}), log_position{0}).batch, log_position{1})
                    .ok());
    const auto loaded = log.loaded();
    EXPECT_TRUE(loaded.offsets().contains("a"));
    EXPECT_FALSE(loaded.offsets().contains("ab"));
    EXPECT_TRUE(loaded.offsets().contains("abc"));
}

TEST(state_store, first_kept_is_the_first_message_at_or_above_a_position) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        checkpointed_log log{seed};
        for (int turn = 0; turn < 5; ++turn) {
            log.grow(40);
            log.checkpoint();
        }
        for (int probe = 0; probe < 20; ++probe) {
            const log_position first{log.log().random().below(static_cast<std::uint32_t>(
                                         log.log().end().value() / storage::entry_alignment)) *
                                     storage::entry_alignment};
            for (const auto& [queue, positions] : log.log().model().messages) {
                const queue_offset last{static_cast<std::int64_t>(positions.size())};
                const auto kept =
                    first_kept(log.store(), queue, {queue_offset{0}, last}, {first, log_position{0}});
                ASSERT_TRUE(kept.ok());
                const auto expected = std::partition_point(positions.begin(), positions.end(),
                                                           [&](auto position) { return position < first; });
                ASSERT_EQ(kept->value(), expected - positions.begin()) << "seed " << seed;
            }
        }
    }
}

// A queue that lost messages before begins where it was cut, whatever is asked.
TEST(state_store, first_kept_never_goes_back) {
    checkpointed_log log{3};
    const auto& queues = log.log().model().messages;
    auto found = queues.end();
    while (found == queues.end()) {
        log.grow(10);
        found =
            std::find_if(queues.begin(), queues.end(), [](const auto& one) { return one.second.size() > 2; });
    }
    log.checkpoint();
    const auto& [queue, positions] = *found;
    const auto kept = first_kept(
        log.store(), queue, {queue_offset{2}, queue_offset{static_cast<std::int64_t>(positions.size())}}, {});
    EXPECT_EQ(*kept, queue_offset{2});
    log.trim(positions[2], {{queue, queue_offset{2}}});
    log.checkpoint();
    EXPECT_EQ(log.loaded().first_offset(queue), queue_offset{2});
}

} // namespace
} // namespace holdfast::broker
