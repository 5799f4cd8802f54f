// The commit_log actor: one replica in production. It owns a broker::replica and carries out its effects; the
// decisions are all in there.
//
// In: batches from sessions, reports from the flusher and the checkpointer, ticks. Out: flush requests (as
// many under way as there are flushers), outcomes to those who appended (one message an appender and turn),
// wake-ups to consumers, checkpoints.
#pragma once

#include "actors/cluster_view.hpp"
#include "actors/committed_view.hpp"
#include "actors/messages.hpp"
#include "actors/wake_registry.hpp"
#include "broker/full_disk_rule.hpp"
#include "broker/half_walk.hpp"
#include "broker/replica.hpp"
#include "consensus/message_frames.hpp"
#include "storage/entry_cache.hpp"
#include "storage/hard_state.hpp"

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>

namespace holdfast::actors {

struct commit_log_settings {
    std::chrono::milliseconds tick_interval{1'000};
    std::chrono::milliseconds checkpoint_interval{5'000};
    std::uint64_t checkpoint_bytes = 256U << 20U; // of log
    std::size_t checkpoint_changes = 200'000;     // messages and facts
    // The key indexer is told this often, so that it finds the entries in the cache instead of on the disk.
    std::uint64_t index_bytes = 4U << 20U;
    std::chrono::milliseconds transaction_timeout{6'000};
    bool is_sync = true; // SYNC_FLUSH
    // How long a leader that stops waits for another one.
    std::chrono::milliseconds hand_over_time{1'000};
    // A leader that commits nothing for so long, though there is something to commit, takes no more messages.
    std::chrono::milliseconds stall_limit{5'000};
    // Raft's time, for a group of several nodes; 0 = alone.
    std::chrono::milliseconds raft_interval{0};
    std::uint64_t segment_bytes = 0; // must be the others'
};

// What the actor works with; everything outlives it.
struct commit_log_environment {
    committed_view* view = nullptr;
    storage::entry_cache* cache = nullptr;
    wake_registry* waiters = nullptr;
    // Makes term and vote durable (hard state); called before anything that depends on them.
    std::function<result<void>(const consensus::hard_vote&)> persist_vote;
    std::function<timestamp_ms()> wall_clock;
    // Told, with the reason, when the replica fences itself, and when this actor, its flusher or its
    // checkpointer dies of a bug.
    std::function<void(const error&)> on_fenced;
    // Told when the first entry of the own term is committed: sends can be answered.
    std::function<void()> on_leading;

    // The rest is for a group of several nodes.
    cluster_view* cluster = nullptr;
    // May drop it.
    std::function<void(const std::string& peer, peer_frame frame)> send_to_peer;
    // What the others say about log bytes, the mender's.
    std::function<void(const std::string& peer, const peer_frame& frame)> on_log_bytes;
    // Before anything of the first entry of an empty log leaves this node.
    std::function<void()> on_first_entry;
    // Whether messages are refused because of the disk, and who is told when that changes.
    std::function<bool()> is_full;
    std::function<void(bool)> on_full;
    std::function<std::optional<log_position>()> room_until = [] { return std::nullopt; }; // node_health's
    // Nothing is committed any more, or again (node_health::set_stalled).
    std::function<void(bool)> on_stalled = [](bool) {};
    // What it decides by; remembers more than one life of this actor.
    broker::full_disk_rule* full_disk = nullptr;
    // It led, and no longer does.
    std::function<void()> on_deposed;
    // Another replica must take its place: broker::effects::is_seeded, or begin_at with a position.
    std::function<void(std::optional<log_position> begin_at)> on_ended;
};

struct commit_log_helpers {
    flusher_actor flusher;
    flusher_actor second_flusher; // for lane 1; none when flushes are one at a time
    checkpointer_actor checkpointer;
    key_indexer_actor indexer;
    std::map<std::string, replicator_actor> replicators; // by follower
};

class commit_log_state {
  public:
    commit_log_state() = default;
    void set_up(commit_log_actor::pointer self, broker::replica replica, commit_log_environment environment,
                commit_log_settings settings);

    // The helpers are made after the commit log, with its handle.
    void connect(commit_log_helpers helpers);

    void start();
    void append(append_request& request);
    void flushed(const flush_report& report);
    void cut(const flush_report& report);
    void saved(bool succeeded);
    void tick();
    void raft_tick();
    void received(const std::string& from, const peer_frame& frame);
    void found(const std::string& peer, const std::string& incarnation, const std::string& hello);
    void lost(const std::string& peer);
    void read(broker::entries_read& entries);
    void plan(log_position wanted, timestamp_ms oldest_kept);
    void trim(const trim_plan& plan);
    half_report_ptr halves(const half_query& query);
    caf::result<bool> standing();
    caf::result<drained_atom> stop();

  private:
    struct met_peer {
        std::string incarnation;
        bool has_empty_log = false;
        friend bool operator==(const met_peer&, const met_peer&) = default;
    };
    struct waiting_appender {
        std::uint64_t ticket;
        appender_actor appender;
    };

    void carry_out(broker::effects effects);
    void answer(std::vector<broker::applied_batch> applied);
    void fail_all(const error& unknown);
    void send_outcomes();
    void add_outcome(const appender_actor& appender, batch_outcome outcome);
    void hand_to_flusher(broker::flush_request request);
    void send_to_peers(std::vector<consensus::message> messages);
    void publish(const broker::state_changes& changes);
    void publish_standing();
    void follow_role();
    void tell_time(broker::steady_ms now);
    void watch_room();
    void watch_progress();
    void watch_fullness();
    [[nodiscard]] broker::steady_ms steady_now() const;
    void checkpoint();
    void tell_indexer();
    void finish_stopping();

    commit_log_actor::pointer self_ = nullptr;
    std::optional<broker::replica> replica_;
    std::optional<broker::half_walk> half_walk_;
    broker::checkpoint_builder pending_;
    commit_log_environment environment_;
    commit_log_settings settings_;
    std::vector<flusher_actor> flushers_; // by lane
    checkpointer_actor checkpointer_;
    key_indexer_actor indexer_;
    std::map<std::string, replicator_actor> replicators_;
    std::map<std::string, consensus::frame_reader> frames_from_; // by peer
    std::map<std::string, met_peer> met_;                        // that can be reached

    std::deque<waiting_appender> waiting_; // in log order
    std::uint64_t next_ticket_ = 1;
    std::map<broker::standing_ticket, caf::typed_response_promise<bool>> asking_;
    std::uint64_t next_standing_ = 1;
    // Outcomes of this turn by appender; almost always one or two.
    std::vector<std::pair<appender_actor, std::vector<batch_outcome>>> outcomes_;

    log_position checkpointed_;
    log_position indexed_until_; // what the key indexer was told
    log_position seen_at_tick_;
    caf::actor_clock::time_point last_checkpoint_;
    bool saving_ = false;
    bool saving_failed_ = false;
    bool leading_told_ = false;
    bool first_entry_told_ = false;
    bool stopping_ = false;
    broker::steady_ms stopping_since_{0};
    std::string leader_told_; // the last one there was, and its term
    term_number term_told_;
    std::optional<broker::steady_ms> leaderless_since_;
    bool has_had_leader_ = false;
    log_position commit_told_; // a tick ago
    bool full_told_ = false;
    std::optional<log_position> room_told_;
    log_position stands_at_; // the commit, since
    broker::steady_ms stands_since_{0};
    bool stalled_told_ = false;
    broker::steady_ms raft_ticked_{0};
    caf::typed_response_promise<drained_atom> drained_;
};

// `make_helpers` is called once, with the new actor's handle and on its thread, before it handles any
// message. The helpers end with the log.
commit_log_actor::behavior_type commit_log(commit_log_actor::stateful_pointer<commit_log_state> self,
                                           std::shared_ptr<broker::replica> replica,
                                           commit_log_environment environment, commit_log_settings settings,
                                           std::function<commit_log_helpers(commit_log_actor)> make_helpers);

} // namespace holdfast::actors
