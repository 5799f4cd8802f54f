#include "broker/snapshot.hpp"
#include "broker/state.hpp"

#include "tests/broker/random_log.hpp"

#include <gtest/gtest.h>

namespace holdfast::broker {
namespace {

using testing::describe;
using testing::logged_entry;
using testing::random_log;

constexpr std::uint64_t seeds = 60;
constexpr int entries_a_log = 120;

topic_config topic_named(std::string name, std::uint32_t queues = 4) {
    topic_config config;
    config.name = std::move(name);
    config.read_queues = config.write_queues = queues;
    return config;
}

// A state and a log that grows by hand.
struct applied_log {
    state held;
    log_position end;
    state_changes changes;

    std::vector<queue_offset> apply(entry_draft draft) {
        std::vector<queue_offset> offsets;
        const auto bytes = draft.release();
        EXPECT_TRUE(held.apply(bytes.view(), end, changes, offsets).ok());
        end = log_position{align_up(end.value() + bytes.size(), storage::entry_alignment)};
        return offsets;
    }
    std::vector<queue_offset> put(const topic_config& config) {
        entry_draft draft;
        draft.add(command_kind::topic_put, encode(config));
        return apply(std::move(draft));
    }
    std::vector<queue_offset> remove_topic(std::string_view name) {
        entry_draft draft;
        draft.add(command_kind::topic_delete, name);
        return apply(std::move(draft));
    }
    std::vector<queue_offset> send(const std::vector<queue_key>& queues) {
        entry_draft draft;
        for (const auto queue : queues) {
            const auto record = draft.add_message(queue, 0, 91);
            std::fill(record.begin(), record.end(), std::byte{0});
        }
        return apply(std::move(draft));
    }
};

std::vector<queue_offset> offsets(std::initializer_list<std::int64_t> numbers) {
    std::vector<queue_offset> made;
    for (const auto number : numbers)
        made.emplace_back(number);
    return made;
}

constexpr queue_key queue(std::uint32_t topic, std::uint32_t number) {
    return {topic_id{topic}, queue_number{number}};
}

TEST(state, offsets_are_dense_per_queue_however_messages_are_interleaved) {
    applied_log log;
    log.put(topic_named("T"));
    EXPECT_EQ(log.send({queue(1, 0), queue(1, 1), queue(1, 0)}), offsets({0, 0, 1}));
    EXPECT_EQ(log.send({queue(1, 1), queue(1, 0), queue(1, 1)}), offsets({1, 2, 2}));
    EXPECT_EQ(log.held.next_offset(queue(1, 0)), queue_offset{3}) << "before the turn's end already";
    log.held.collect_runs(log.changes);
    EXPECT_EQ(log.held.next_offset(queue(1, 0)), queue_offset{3});
    ASSERT_EQ(log.changes.runs.size(), 2U);
    EXPECT_EQ(log.changes.runs[0].queue, queue(1, 0)) << "in the order of their first message";
    EXPECT_EQ(log.changes.runs[0].entries.size(), 3U);
    EXPECT_EQ(log.send({queue(1, 0)}), offsets({3}));
}

TEST(state, a_topic_made_again_is_another_one_and_counts_anew) {
    applied_log log;
    log.put(topic_named("T"));
    log.send({queue(1, 0), queue(1, 0)});
    log.held.collect_runs(log.changes);
    log.remove_topic("T");
    EXPECT_EQ(log.held.find_topic("T"), nullptr);
    EXPECT_EQ(log.held.find_topic(topic_id{1}), nullptr);
    EXPECT_EQ(log.send({queue(1, 0)}), offsets({-1})) << "late news for an incarnation that is gone";
    log.put(topic_named("T"));
    ASSERT_NE(log.held.find_topic("T"), nullptr);
    EXPECT_EQ(log.held.find_topic("T")->id, topic_id{2});
    EXPECT_EQ(log.send({queue(1, 0), queue(2, 0)}), offsets({-1, 0}));
}

TEST(state, a_topic_put_again_keeps_its_id_and_messages) {
    applied_log log;
    log.put(topic_named("T", 4));
    log.send({queue(1, 3)});
    log.put(topic_named("T", 8));
    EXPECT_EQ(log.held.find_topic("T")->id, topic_id{1});
    EXPECT_EQ(log.held.find_topic("T")->read_queues, 8U);
    EXPECT_EQ(log.send({queue(1, 3)}), offsets({1}));
}

// Two clients send first to the same topic, each with its own idea of it: the second must not take queues
// away in which the first one's messages are.
TEST(state, what_is_made_in_passing_leaves_alone_what_is_there) {
    applied_log log;
    const auto create = [&](std::uint32_t queues) {
        entry_draft draft;
        draft.add(command_kind::topic_create, encode(topic_named("T", queues)));
        log.changes = {};
        log.apply(std::move(draft));
        return log.changes.facts.size();
    };
    EXPECT_EQ(create(8), 1U);
    EXPECT_EQ(create(2), 0U);
    EXPECT_EQ(log.held.find_topic("T")->read_queues, 8U);
    EXPECT_EQ(log.held.next_topic_id(), topic_id{2});
    const auto create_group = [&](command_kind how, std::uint32_t tries) {
        group_config group;
        group.name = "g";
        group.retry_max_times = tries;
        entry_draft draft;
        draft.add(how, encode(group));
        log.apply(std::move(draft));
        return log.held.groups().find("g")->second->retry_max_times;
    };
    EXPECT_EQ(create_group(command_kind::group_create, 3), 3U);
    EXPECT_EQ(create_group(command_kind::group_put, 5), 5U);
    EXPECT_EQ(create_group(command_kind::group_create, 3), 5U);
}

TEST(state, a_deleted_topics_messages_of_the_same_turn_are_in_no_run) {
    applied_log log;
    log.put(topic_named("T"));
    log.put(topic_named("U"));
    log.send({queue(1, 0), queue(2, 0)});
    log.remove_topic("T");
    log.held.collect_runs(log.changes);
    ASSERT_EQ(log.changes.runs.size(), 1U);
    EXPECT_EQ(log.changes.runs[0].queue, queue(2, 0));
}

TEST(state, offsets_go_with_their_topic_and_with_their_group) {
    applied_log log;
    log.put(topic_named("T"));
    log.put(topic_named("U"));
    const auto commit = [&](const char* group, queue_key where) {
        entry_draft draft;
        draft.add(command_kind::offsets_commit,
                  encode(std::vector<offset_commit>{{group, where, queue_offset{5}}}));
        log.apply(std::move(draft));
    };
    commit("g", queue(1, 0));
    commit("g", queue(2, 0));
    commit("h", queue(2, 0));
    commit("g", queue(77, 0)); // of no topic
    log.remove_topic("T");
    EXPECT_EQ(log.held.offsets().find("g")->second.size(), 1U);
    entry_draft draft;
    draft.add(command_kind::group_delete, "g");
    log.apply(std::move(draft));
    EXPECT_FALSE(log.held.offsets().contains("g"));
    EXPECT_TRUE(log.held.offsets().contains("h"));
}

TEST(state, an_unknown_command_stops_the_replica_and_says_what_to_do) {
    state held;
    state_changes changes;
    std::vector<queue_offset> given;
    entry_draft draft;
    draft.add(static_cast<command_kind>(200), "from the future");
    const auto outcome = held.apply(draft.bytes(), log_position{640}, changes, given);
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(outcome.failure().code, errc::not_supported);
    EXPECT_NE(outcome.failure().message.find("640"), std::string::npos);
    EXPECT_NE(outcome.failure().message.find("version"), std::string::npos);
}

TEST(state, malformed_payloads_are_errors) {
    for (const auto kind : {command_kind::topic_put, command_kind::group_put, command_kind::offsets_commit,
                            command_kind::trim}) {
        state held;
        state_changes changes;
        std::vector<queue_offset> given;
        entry_draft draft;
        draft.add(kind, "\x01nonsense");
        EXPECT_FALSE(held.apply(draft.bytes(), log_position{0}, changes, given).ok())
            << static_cast<int>(kind);
    }
}

// --- against the naive model
// ------------------------------------------------------------------------------------------

TEST(state, agrees_with_the_model_on_random_logs) {
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        random_log log{seed};
        state held;
        for (int i = 0; i < entries_a_log; ++i) {
            const auto entry = log.next();
            state_changes changes;
            std::vector<queue_offset> given;
            ASSERT_TRUE(held.apply(entry.bytes.view(), entry.position, changes, given).ok());
            held.collect_runs(changes);
            ASSERT_EQ(given, entry.offsets) << "seed " << seed << ", entry " << i;
        }
        ASSERT_EQ(describe(held), describe(log.model())) << "seed " << seed;
    }
}

// What the view and the derived store make of changes: the facts first, then the runs.
struct followed_queues {
    std::map<queue_key, std::vector<storage::queue_index_entry>> queues;

    void carry_out(const state_changes& changes) {
        for (const auto& change : changes.facts)
            if (const auto* const deleted = std::get_if<topic_deleted>(&change))
                std::erase_if(queues,
                              [&](const auto& held) { return held.first.topic == deleted->topic->id; });
        for (const auto& run : changes.runs) {
            auto& held = queues[run.queue];
            EXPECT_EQ(run.first, queue_offset{static_cast<std::int64_t>(held.size())});
            held.insert(held.end(), run.entries.begin(), run.entries.end());
        }
    }
};

TEST(state, the_same_log_gives_the_same_however_it_is_cut_into_turns) {
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        random_log log{seed};
        testing::random_source turns{seed + 1000};
        state one_by_one;
        state by_turns;
        followed_queues one_by_one_view;
        followed_queues by_turns_view;
        state_changes gathered;
        for (int i = 0; i < entries_a_log; ++i) {
            const auto entry = log.next();
            std::vector<queue_offset> given;
            std::vector<queue_offset> given_by_turns;
            state_changes changes;
            ASSERT_TRUE(one_by_one.apply(entry.bytes.view(), entry.position, changes, given).ok());
            one_by_one.collect_runs(changes);
            one_by_one_view.carry_out(changes);
            ASSERT_TRUE(by_turns.apply(entry.bytes.view(), entry.position, gathered, given_by_turns).ok());
            ASSERT_EQ(given, given_by_turns);
            if (turns.one_in(5) || i + 1 == entries_a_log) {
                by_turns.collect_runs(gathered);
                by_turns_view.carry_out(gathered);
                gathered = {};
            }
        }
        ASSERT_EQ(describe(one_by_one), describe(by_turns)) << "seed " << seed;
        ASSERT_EQ(one_by_one_view.queues, by_turns_view.queues) << "seed " << seed;
        for (const auto& [where, positions] : log.model().messages) {
            const auto& held = by_turns_view.queues[where];
            ASSERT_EQ(held.size(), positions.size());
            for (std::size_t i = 0; i < held.size(); ++i)
                ASSERT_EQ(held[i].position, positions[i]);
        }
    }
}

// --- snapshots
// --------------------------------------------------------------------------------------------------------

std::vector<std::pair<queue_key, queue_offset>> firsts_at(const testing::log_model& model,
                                                          log_position first) {
    std::vector<std::pair<queue_key, queue_offset>> firsts;
    for (const auto& [where, positions] : model.messages) {
        const auto below = std::partition_point(positions.begin(), positions.end(),
                                                [&](auto position) { return position < first; });
        if (below != positions.begin())
            firsts.emplace_back(where, queue_offset{below - positions.begin()});
    }
    return firsts;
}

TEST(snapshot, with_the_rest_of_the_log_gives_the_state_that_the_whole_log_gives) {
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        random_log log{seed};
        state original;
        std::vector<logged_entry> entries;
        const auto grow = [&](state_changes& changes) {
            entries.push_back(log.next());
            std::vector<queue_offset> given;
            ASSERT_TRUE(
                original.apply(entries.back().bytes.view(), entries.back().position, changes, given).ok());
            original.collect_runs(changes);
        };
        state_changes changes;
        for (int i = 0; i < entries_a_log; ++i)
            grow(changes);
        const auto first = entries[log.random().below(entries_a_log)].position;
        const auto as_of = log.end();
        const auto encoded = encode_snapshot(original, first, as_of, firsts_at(log.model(), first));
        for (int i = 0; i < entries_a_log / 2; ++i)
            grow(changes);

        const auto snapshot = decode_snapshot(as_bytes(encoded));
        ASSERT_TRUE(snapshot.ok());
        state_changes ignored;
        const auto apply_messages = [&](state& to) {
            for (const auto& entry : entries)
                if (entry.position >= first && entry.position < as_of) {
                    ASSERT_TRUE(to.apply_messages(entry.bytes.view(), entry.position, ignored).ok());
                }
            to.collect_runs(ignored);
        };
        auto counted = restore_snapshot(*snapshot);
        apply_messages(counted);
        auto restored = restore_snapshot(*snapshot, counted);
        ASSERT_TRUE(restored.ok()) << "seed " << seed << ": " << restored.failure().message;
        auto& rebuilt = *restored;
        apply_messages(rebuilt);
        ASSERT_TRUE(check_against(*snapshot, rebuilt).ok()) << "seed " << seed;
        for (const auto& entry : entries) {
            std::vector<queue_offset> given;
            if (entry.position < as_of)
                continue;
            ASSERT_TRUE(rebuilt.apply(entry.bytes.view(), entry.position, ignored, given).ok());
            ASSERT_EQ(given, entry.offsets);
        }
        rebuilt.collect_runs(ignored);
        ASSERT_EQ(describe(rebuilt), describe(original)) << "seed " << seed;
    }
}

TEST(snapshot, a_missing_message_does_not_pass_the_check) {
    applied_log log;
    log.put(topic_named("T"));
    log.send({queue(1, 0), queue(1, 0)});
    log.held.collect_runs(log.changes);
    const auto snapshot = decode_snapshot(as_bytes(encode_snapshot(log.held, log_position{0}, log.end, {})));
    ASSERT_TRUE(snapshot.ok());
    const auto nothing = restore_snapshot(*snapshot);
    const auto restored = restore_snapshot(*snapshot, nothing);
    ASSERT_FALSE(restored.ok());
    EXPECT_EQ(restored.failure().code, errc::corrupted);
    const auto checked = check_against(*snapshot, nothing);
    ASSERT_FALSE(checked.ok());
    EXPECT_EQ(checked.failure().code, errc::corrupted);
}

TEST(snapshot, a_trim_moves_the_logs_beginning_once) {
    applied_log log;
    log.put(topic_named("T"));
    const auto trim = [&](log_position first) {
        entry_draft draft;
        draft.add(command_kind::trim,
                  encode_snapshot(log.held, first, log.end, {{queue(1, 0), queue_offset{3}}}));
        log.changes = {};
        log.apply(std::move(draft));
        return log.changes.facts.size();
    };
    EXPECT_EQ(trim(log_position{4096}), 1U);
    EXPECT_EQ(log.held.first_position(), log_position{4096});
    EXPECT_EQ(trim(log_position{4096}), 0U) << "said already";
    EXPECT_EQ(trim(log_position{64}), 0U) << "never back";
    EXPECT_EQ(log.held.first_position(), log_position{4096});
}

} // namespace
} // namespace holdfast::broker
