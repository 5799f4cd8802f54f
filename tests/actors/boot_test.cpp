// Starts over real directories: what a log, a derived store, both or only one of them bring back, also after
// retention has taken the log's beginning.
#include "actors/boot.hpp"
#include "broker/snapshot.hpp"
#include "protocol/stored_message.hpp"
#include "storage/read_entries.hpp"

#include <filesystem>
#include <gtest/gtest.h>
#include <map>
#include <optional>
#include <string>
#include <unistd.h>

namespace holdfast::actors {
namespace {

constexpr timestamp_ms some_time{1'700'000'000'000};

class boot_test : public testing::Test {
  protected:
    boot_test() {
        auto pattern = (std::filesystem::temp_directory_path() / "holdfast-boot-XXXXXX").string();
        directory_ = ::mkdtemp(pattern.data());
        config_.store_path = directory_ / "store";
        config_.node_name = "a";
        config_.segment_bytes = 64U << 10U;
        start();
    }
    ~boot_test() override { std::filesystem::remove_all(directory_); }

    // Boots and leads, as node.cpp does.
    void start() {
        auto booted = boot(config_);
        ASSERT_TRUE(booted.ok()) << booted.failure();
        booted_ = std::make_unique<booted_replica>(std::move(*booted));
        pending_ = {};
        broker::replica_settings settings;
        settings.raft.self = {"a", storage::to_string(booted_->hard_state.id)};
        settings.max_entry_size = config_.segment_bytes - storage::entry_alignment;
        replica_.emplace(std::move(settings), std::move(booted_->start), std::move(booted_->state));
        auto elected = replica_->step(broker::started{});
        booted_->hard_state.term = elected.persist->term;
        ASSERT_TRUE(
            storage::save_hard_state(*booted_->files, hard_state_file(config_), booted_->hard_state).ok());
        carry_out(std::move(elected));
    }
    void stop() {
        replica_.reset();
        booted_.reset();
    }

    void carry_out(broker::effects effects) {
        while (effects.flush) {
            ASSERT_TRUE(booted_->log->writer().write(effects.flush->entries, effects.flush->first).ok());
            ASSERT_TRUE(booted_->log->writer().flush().ok());
            const auto until = effects.flush->until;
            effects = replica_->step(broker::entries_flushed{until, until});
            pending_.add(effects.changes);
        }
        ASSERT_FALSE(effects.fenced);
    }
    void append(broker::entry_draft draft) {
        broker::batches_received received;
        received.now = some_time;
        received.batches.push_back({std::move(draft), broker::batch_ticket{1}});
        carry_out(replica_->step(std::move(received)));
    }
    void checkpoint() {
        auto taken = pending_.take(replica_->current(), replica_->last_applied_entry(), replica_->durable());
        ASSERT_TRUE(booted_->store->write(std::move(taken.batch), replica_->applied()).ok());
        ASSERT_TRUE(booted_->store->flush().ok());
    }

    void put_topic(const std::string& name) {
        broker::topic_config topic;
        topic.name = name;
        broker::entry_draft draft;
        draft.add(broker::command_kind::topic_put, broker::encode(topic));
        append(std::move(draft));
    }
    void delete_topic(const std::string& name) {
        broker::entry_draft draft;
        draft.add(broker::command_kind::topic_delete, name);
        append(std::move(draft));
    }
    void send(const std::string& name, std::uint32_t queue, int count) {
        const auto topic = replica_->current().find_topic(name);
        ASSERT_TRUE(topic);
        for (int i = 0; i < count; ++i) {
            protocol::stored_message message;
            message.queue = queue_number{queue};
            message.topic = name;
            message.body = as_bytes(body_);
            broker::entry_draft draft;
            const auto to = draft.add_message({topic->id, message.queue}, 0, message.size());
            protocol::write_stored_message(to.data(), message);
            append(std::move(draft));
        }
    }
    void commit_offset(const std::string& group, const std::string& topic, std::int64_t next) {
        const queue_key queue{replica_->current().find_topic(topic)->id, queue_number{0}};
        broker::entry_draft draft;
        draft.add(broker::command_kind::offsets_commit, broker::encode({{group, queue, queue_offset{next}}}));
        append(std::move(draft));
    }

    // Everything the state says, as text that can be compared.
    [[nodiscard]] std::string described() const { return describe(replica_->current()); }
    static std::string describe(const broker::state& state) {
        std::string text = "next topic " + std::to_string(state.next_topic_id().value()) + "\n";
        for (const auto& [name, topic] : state.topics())
            text += "topic " + name + " " + std::to_string(topic->id.value()) + "\n";
        for (const auto& [group, offsets] : state.offsets())
            for (const auto& [queue, next] : std::map{offsets.begin(), offsets.end()})
                text += "offset " + group + " " + std::to_string(queue.packed()) + " " +
                        std::to_string(next.value()) + "\n";
        const auto lengths = state.queue_lengths();
        for (const auto& [queue, next] : std::map{lengths.begin(), lengths.end()})
            text += "queue " + std::to_string(queue.packed()) + " " + std::to_string(next.value()) + "\n";
        return text;
    }

    // Retention as checkpointer and commit_log do it: plan, snapshot into the log, remove.
    std::vector<std::pair<queue_key, queue_offset>> trim_at(log_position first) {
        std::vector<std::pair<queue_key, queue_offset>> firsts;
        for (const auto& [queue, next] : replica_->current().queue_lengths()) {
            const auto kept = broker::first_kept(
                *booted_->store, queue, {replica_->current().first_offset(queue), next}, {first, {}});
            EXPECT_TRUE(kept.ok());
            if (*kept > queue_offset{0})
                firsts.emplace_back(queue, *kept);
        }
        broker::entry_draft draft;
        draft.add(broker::command_kind::trim,
                  broker::encode_snapshot(replica_->current(), first, replica_->applied(), firsts));
        append(std::move(draft));
        const auto removed = booted_->log->remove_before(first);
        EXPECT_TRUE(removed.ok());
        EXPECT_EQ(*removed, first);
        return firsts;
    }
    void lose_derived_store() { std::filesystem::remove_all(config_.store_path / "derived"); }

    std::filesystem::path directory_;
    config::node_config config_;
    std::unique_ptr<booted_replica> booted_;
    std::optional<broker::replica> replica_;
    broker::checkpoint_builder pending_;
    const std::string body_ = std::string(1'000, 'x');
};

TEST_F(boot_test, an_empty_directory_becomes_a_store) {
    EXPECT_EQ(replica_->term(), term_number{1});
    EXPECT_TRUE(replica_->leading());
}

TEST_F(boot_test, each_start_leads_in_a_term_of_its_own) {
    stop();
    start();
    EXPECT_EQ(replica_->term(), term_number{2});
}

TEST_F(boot_test, what_no_checkpoint_has_is_applied_again) {
    put_topic("t");
    send("t", 0, 5);
    checkpoint();
    send("t", 1, 7);
    commit_offset("g", "t", 3);
    const auto before = described();
    stop();
    start();
    EXPECT_EQ(described(), before);
}

TEST_F(boot_test, a_lost_derived_store_is_rebuilt_from_the_log) {
    put_topic("t");
    put_topic("gone");
    send("gone", 0, 3);
    send("t", 0, 100); // over several segments
    delete_topic("gone");
    put_topic("gone"); // another incarnation, whose offsets start anew
    send("gone", 0, 1);
    commit_offset("g", "t", 42);
    checkpoint();
    const auto before = described();
    stop();
    lose_derived_store();
    start();
    EXPECT_EQ(described(), before);
}

TEST_F(boot_test, a_damaged_derived_store_is_rebuilt_from_the_log) {
    put_topic("t");
    send("t", 0, 20);
    checkpoint();
    const auto before = described();
    stop();
    for (const auto& file : std::filesystem::directory_iterator{config_.store_path / "derived"})
        if (file.path().filename().string().starts_with("MANIFEST"))
            std::filesystem::resize_file(file.path(), 10);
    start();
    EXPECT_EQ(described(), before);
}

class retention_test : public boot_test {
  protected:
    void SetUp() override {
        put_topic("t");
        put_topic("old");
        put_topic("idle");
        send("old", 0, 30);
        send("idle", 0, 5);
        send("t", 0, 150);
        commit_offset("g", "t", 100);
        delete_topic("old");
        put_topic("late");
        send("late", 2, 50);
        checkpoint();
        firsts_ = trim_at(log_position{2 * config_.segment_bytes});
        // What comes after the snapshot is applied upon it.
        send("t", 0, 10);
        put_topic("later");
        commit_offset("g", "t", 120);
    }
    std::vector<std::pair<queue_key, queue_offset>> firsts_;
};

TEST_F(retention_test, the_state_survives_the_loss_of_the_logs_beginning) {
    const auto before = described();
    stop();
    start();
    EXPECT_EQ(described(), before);
    EXPECT_EQ(replica_->current().first_position(), log_position{2 * config_.segment_bytes});
    for (const auto& [queue, first] : firsts_)
        EXPECT_EQ(replica_->current().first_offset(queue), first);
}

TEST_F(retention_test, and_the_loss_of_the_derived_store_after_that) {
    ASSERT_FALSE(firsts_.empty());
    const auto before = described();
    stop();
    lose_derived_store();
    start();
    EXPECT_EQ(described(), before);
    for (const auto& [queue, first] : firsts_) {
        EXPECT_EQ(replica_->current().first_offset(queue), first);
        // Every message that is kept can be found: the index has it, the log holds it.
        const auto next = replica_->current().next_offset(queue);
        for (auto offset = first; offset < next - 10; ++offset) {
            const auto run = storage::find_run(*booted_->store, queue, offset);
            ASSERT_TRUE(run.ok() && *run) << offset;
            const auto& entry = (*run)->entries[static_cast<std::size_t>(offset - (*run)->first)];
            EXPECT_TRUE(booted_->log->reader().entry_containing(entry.position).ok()) << offset;
        }
    }
}

// Nothing in the log tells of it any more, but the next message there must not be number 0 again.
TEST_F(retention_test, a_queue_whose_messages_are_all_gone_stays_as_long_as_it_was) {
    const queue_key idle{replica_->current().find_topic("idle")->id, queue_number{0}};
    ASSERT_EQ(replica_->current().first_offset(idle), queue_offset{5});
    stop();
    lose_derived_store();
    start();
    EXPECT_EQ(replica_->current().next_offset(idle), queue_offset{5});
    stop();
    start();
    EXPECT_EQ(replica_->current().next_offset(idle), queue_offset{5}) << "from the derived store alone";
    send("idle", 0, 1);
    EXPECT_EQ(replica_->current().next_offset(idle), queue_offset{6});
}

// Another node of the group, whose log ended before this one begins: it is fed from there, and makes its
// state of the snapshot it finds.
TEST_F(retention_test, a_member_that_lacks_the_beginning_is_fed_and_makes_its_state) {
    auto theirs = config_;
    theirs.store_path = directory_ / "other";
    theirs.node_name = "b";
    theirs.peers = {{"a", "127.0.0.1", 1}, {"c", "127.0.0.1", 2}};
    const auto first = booted_->log->segments().first();
    std::string old_incarnation;
    {
        const auto fresh = boot(theirs);
        ASSERT_TRUE(fresh.ok()) << fresh.failure();
        old_incarnation = storage::to_string(fresh->hard_state.id);
    }
    ASSERT_TRUE(begin_anew(theirs, first).ok());

    auto other = boot(theirs);
    ASSERT_TRUE(other.ok()) << other.failure();
    EXPECT_NE(storage::to_string(other->hard_state.id), old_incarnation) << "it has forgotten its promises";
    ASSERT_TRUE(other->start.is_seeding);
    broker::replica_settings settings;
    settings.raft.self = {"b", storage::to_string(other->hard_state.id)};
    settings.raft.peers = {"a", "c"};
    settings.max_entry_size = config_.segment_bytes - storage::entry_alignment;
    broker::replica follower{std::move(settings), std::move(other->start), std::move(other->state)};
    (void)follower.step(broker::started{});

    bool is_seeded = false;
    for (auto at = first; at < replica_->appended() && !is_seeded;) {
        auto stretch = storage::read_entries(booted_->log->reader(), booted_->log->segments(), at,
                                             replica_->appended(), 20'000);
        ASSERT_TRUE(stretch.ok()) << stretch.failure();
        consensus::append_request request{at, term_number{0}, replica_->committed(), 1, {}};
        for (const auto& entry : stretch->entries)
            request.entries.push_back(shared_bytes::copy_of(entry.view()));
        auto effects = follower.step(broker::message_received{
            {{"a", "first"}, "b", replica_->term(), std::move(request)}, broker::steady_ms{1}});
        while (effects.flush) {
            ASSERT_TRUE(other->log->writer().write(effects.flush->entries, effects.flush->first).ok());
            ASSERT_TRUE(other->log->writer().flush().ok());
            const auto until = effects.flush->until;
            effects = follower.step(broker::entries_flushed{until, until});
            is_seeded = is_seeded || effects.is_seeded;
        }
        ASSERT_FALSE(effects.fenced) << *effects.fenced;
        at = stretch->last;
    }
    ASSERT_TRUE(is_seeded);
    *other = booted_replica{};

    auto made = boot(theirs);
    ASSERT_TRUE(made.ok()) << made.failure();
    EXPECT_FALSE(made->start.is_seeding);
    EXPECT_GT(made->state.queue_lengths().size(), 0U);
    EXPECT_EQ(made->state.first_position(), replica_->current().first_position());
    for (const auto& [name, topic] : made->state.topics())
        EXPECT_EQ(topic->id, replica_->current().find_topic(name)->id);
}

TEST_F(retention_test, twice_and_then_the_loss) {
    send("t", 3, 200);
    checkpoint();
    trim_at(log_position{4 * config_.segment_bytes});
    send("later", 0, 1);
    const auto before = described();
    stop();
    lose_derived_store();
    start();
    EXPECT_EQ(described(), before);
}

TEST_F(retention_test, a_segment_removed_by_hand_is_noticed) {
    stop();
    lose_derived_store();
    std::filesystem::remove(config_.store_path / "commitlog" / "00000000000000196608");
    const auto booted = boot(config_);
    ASSERT_FALSE(booted.ok());
    EXPECT_EQ(booted.failure().code, errc::corrupted);
}

// With ASYNC_FLUSH a checkpoint may be ahead of the log's disk; a power cut then takes the log's end, and the
// derived store must not outlive it.
TEST_F(boot_test, a_checkpoint_ahead_of_a_log_that_lost_its_end_is_thrown_away) {
    put_topic("t");
    send("t", 0, 5);
    const auto flushed = replica_->durable();
    const auto before = described();
    send("t", 0, 3);
    auto taken = pending_.take(replica_->current(), replica_->last_applied_entry(), flushed);
    ASSERT_TRUE(booted_->store->write(std::move(taken.batch), replica_->applied()).ok());
    ASSERT_TRUE(booted_->store->flush().ok());
    const auto end = replica_->applied();
    stop();
    auto log = storage::posix_file_system{}.open(
        storage::path{(config_.store_path / "commitlog" / "00000000000000000000").native()},
        storage::open_mode::read_write);
    ASSERT_TRUE(log.ok());
    ASSERT_TRUE(storage::write_zeros(**log, flushed.value(), end.value()).ok());
    start();
    EXPECT_EQ(described(), before);
}

TEST_F(boot_test, a_second_start_over_the_same_directory_is_refused) {
    const auto second = boot(config_);
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.failure().code, errc::unavailable);
}

TEST_F(boot_test, the_data_of_another_cluster_is_refused) {
    stop();
    config_.cluster_name = "Other";
    const auto booted = boot(config_);
    ASSERT_FALSE(booted.ok());
    EXPECT_NE(booted.failure().message.find("DefaultCluster"), std::string::npos);
    config_.cluster_name = "DefaultCluster";
}

} // namespace
} // namespace holdfast::actors
