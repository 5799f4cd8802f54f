// A data directory as a node makes it, without the node: entries by broker/replica, checkpoints and the key
// index when the test says so. For tests that look at what is on the disk, or damage it.
#pragma once

#include "actors/boot.hpp"
#include "broker/record_keys.hpp"
#include "broker/snapshot.hpp"
#include "protocol/stored_message.hpp"
#include "storage/key_index.hpp"
#include "storage/log_scanner.hpp"
#include "tests/storage/temporary_directory.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace holdfast::actors::testing {

class data_directory {
  public:
    data_directory() {
        config_.store_path = home_.path() / "store";
        config_.node_name = "a";
        config_.segment_bytes = 64U << 10U;
        start();
    }

    [[nodiscard]] const std::filesystem::path& path() const { return config_.store_path; }
    [[nodiscard]] storage::path native_path() const { return storage::path{config_.store_path.native()}; }
    [[nodiscard]] std::string id() const { return id_; }
    [[nodiscard]] const broker::state& state() const { return replica_->current(); }
    [[nodiscard]] booted_replica& booted() { return *booted_; }
    // Of the log, also after stop().
    [[nodiscard]] log_position end() const { return replica_ ? replica_->applied() : end_; }
    [[nodiscard]] log_position last_entry() const { return replica_->last_applied_entry(); }

    void start() {
        auto booted = boot(config_);
        ASSERT_TRUE(booted.ok()) << booted.failure();
        booted_ = std::make_unique<booted_replica>(std::move(*booted));
        id_ = storage::to_string(booted_->hard_state.id);
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
    // As kill -9: what no checkpoint has is only in the log.
    void stop() {
        end_ = end();
        replica_.reset();
        booted_.reset();
    }

    // The position of the entry.
    log_position append(broker::entry_draft draft) {
        broker::batches_received received;
        received.now = now_;
        received.batches.push_back({std::move(draft), broker::batch_ticket{1}});
        carry_out(replica_->step(std::move(received)));
        return replica_->last_applied_entry();
    }
    void pass_time(std::int64_t ms) { now_ = now_ + ms; }

    void checkpoint() {
        auto taken = pending_.take(replica_->current(), replica_->last_applied_entry(), replica_->durable());
        ASSERT_TRUE(booted_->store->write(std::move(taken.batch), replica_->applied()).ok());
        ASSERT_TRUE(booted_->store->flush().ok());
    }
    // The keys of everything so far, but those that `without` takes out.
    template <class Without>
    void index_keys(Without without) {
        auto index = storage::key_index::open(path() / "keys", id_);
        ASSERT_TRUE(index.ok()) << index.failure();
        std::vector<storage::key_entry> keys;
        ASSERT_TRUE(storage::for_each_entry(booted_->log->segments(), booted_->log->segments().first(), end(),
                                            [&](const storage::scanned_entry& entry) {
                                                return broker::append_keys(entry.bytes, entry.header.position,
                                                                           keys);
                                            })
                        .ok());
        without(keys);
        ASSERT_TRUE((*index)->add(keys, end()).ok());
    }
    void index_keys() {
        index_keys([](std::vector<storage::key_entry>&) {});
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
    void put_group(const std::string& name) {
        broker::group_config group;
        group.name = name;
        broker::entry_draft draft;
        draft.add(broker::command_kind::group_put, broker::encode(group));
        append(std::move(draft));
    }
    void commit_offset(const std::string& group, const std::string& topic, std::int64_t next) {
        broker::entry_draft draft;
        draft.add(broker::command_kind::offsets_commit,
                  broker::encode({{group, queue_of(topic, 0), queue_offset{next}}}));
        append(std::move(draft));
    }
    [[nodiscard]] queue_key queue_of(const std::string& topic, std::uint32_t queue) const {
        return {replica_->current().find_topic(topic)->id, queue_number{queue}};
    }

    // A record and its position. Each has the key "<topic>-<running number>".
    log_position send(const std::string& topic, std::uint32_t queue) {
        return add_record(broker::command_kind::message, topic, queue, 0, [](std::byte*) {});
    }
    void send(const std::string& topic, std::uint32_t queue, int count) {
        for (int i = 0; i < count; ++i)
            send(topic, queue);
    }
    log_position prepare(const std::string& topic, std::uint32_t queue) {
        return add_record(broker::command_kind::lean_half, topic, queue, broker::half_trailer_bytes,
                          [](std::byte* to) { broker::encode(broker::half_trailer{}, to); });
    }
    log_position delay(const std::string& topic, std::uint32_t queue, std::int64_t due_ms) {
        return add_record(broker::command_kind::lean_delayed, topic, queue, broker::delayed_trailer_bytes,
                          [&](std::byte* to) { store_little(to, -due_ms); });
    }
    void decide(log_position half, broker::decision_kind kind) {
        const auto* const known = state().halves().find(half);
        ASSERT_NE(known, nullptr);
        broker::entry_draft draft;
        draft.add(broker::command_kind::packed_decisions,
                  broker::encode(std::vector<broker::decision>{
                      {half, known->number(), broker::group_checksum_of(*known->group), kind}}));
        append(std::move(draft));
    }
    // Only what a checkpoint has can be delivered or cancelled.
    void deliver_until(timestamp_ms until) {
        storage::delay_index table{*booted_->store, state().delay().version, state().delay().cursor};
        const auto due = table.due(until, 1000);
        ASSERT_TRUE(due.ok());
        broker::entry_draft draft;
        draft.add(broker::command_kind::deliveries,
                  broker::encode(broker::deliveries{due->version, due->messages}));
        append(std::move(draft));
    }
    void cancel_first() {
        storage::delay_index table{*booted_->store, state().delay().version, state().delay().cursor};
        const auto first = table.next();
        ASSERT_TRUE(first.ok() && *first);
        broker::entry_draft draft;
        draft.add(broker::command_kind::delayed_cancel,
                  broker::encode(broker::cancellations{state().delay().version, {(*first)->key}}));
        append(std::move(draft));
    }
    void lock_queue(const std::string& group, const std::string& topic, const std::string& owner) {
        broker::entry_draft draft;
        draft.add(broker::command_kind::queue_locks,
                  broker::encode(broker::lock_changes{group, {{queue_of(topic, 0), {owner, 1}}}}));
        append(std::move(draft));
    }
    // Retention as checkpointer and commit_log do it: plan, snapshot into the log, remove. Nothing below
    // `first` may wait or have been referred to.
    void trim_at(log_position first) {
        std::vector<std::pair<queue_key, queue_offset>> firsts;
        for (const auto& [queue, next] : state().queue_lengths()) {
            const auto kept = broker::first_kept(*booted_->store, queue, {state().first_offset(queue), next},
                                                 {first, log_position{0}});
            ASSERT_TRUE(kept.ok());
            if (*kept > queue_offset{0})
                firsts.emplace_back(queue, *kept);
        }
        broker::entry_draft draft;
        draft.add(broker::command_kind::trim, broker::encode_snapshot(state(), first, end(), firsts));
        append(std::move(draft));
        ASSERT_TRUE(booted_->log->remove_before(first).ok());
    }

    // --- damage ---

    [[nodiscard]] std::filesystem::path segment(log_position position) const {
        return path() / "commitlog" /
               storage::segment_file_name(log_position{align_down(position.value(), config_.segment_bytes)});
    }
    void write(log_position position, std::string_view bytes) const {
        std::fstream file{segment(position), std::ios::in | std::ios::out | std::ios::binary};
        file.seekp(static_cast<std::streamoff>(position.value() % config_.segment_bytes));
        file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }
    void flip(log_position position) const {
        std::fstream file{segment(position), std::ios::in | std::ios::out | std::ios::binary};
        const auto at = static_cast<std::streamoff>(position.value() % config_.segment_bytes);
        file.seekg(at);
        const auto byte = static_cast<char>(file.get() ^ 0x10);
        file.seekp(at);
        file.put(byte);
    }
    // Changes the derived store behind the broker's back; the node is stopped.
    template <class Change>
    void tamper(Change change) {
        auto store = storage::derived_store::open(path() / "derived", id_);
        ASSERT_TRUE(store.ok()) << store.failure();
        storage::derived_batch batch;
        change(**store, batch);
        ASSERT_TRUE((*store)->write(std::move(batch), (*store)->applied()).ok());
        ASSERT_TRUE((*store)->flush().ok());
    }

  private:
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

    template <class Trailer>
    log_position add_record(broker::command_kind kind, const std::string& topic, std::uint32_t queue,
                            std::size_t trailer_bytes, Trailer trailer) {
        protocol::stored_message message;
        message.queue = queue_number{queue};
        message.topic = topic;
        message.body = as_bytes(body_);
        message.stored = now_;
        const auto properties = "KEYS\x01" + topic + "-" + std::to_string(++sent_) + " shared\x02";
        message.properties = properties;
        broker::entry_draft draft;
        const auto place = draft.next_payload();
        const auto to = draft.add_record(kind, queue_of(topic, queue), 0, message.size() + trailer_bytes);
        protocol::write_stored_message(to.data(), message);
        trailer(to.data() + message.size());
        return append(std::move(draft)) + place;
    }

    storage::testing::temporary_directory home_;
    config::node_config config_;
    std::string id_;
    std::unique_ptr<booted_replica> booted_;
    std::optional<broker::replica> replica_;
    broker::checkpoint_builder pending_;
    log_position end_;
    timestamp_ms now_{1'700'000'000'000};
    int sent_ = 0;
    const std::string body_ = std::string(1'000, 'x');
};

} // namespace holdfast::actors::testing
