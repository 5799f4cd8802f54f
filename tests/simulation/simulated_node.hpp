// One node without actors, threads or clock: broker::replica, the real log and the real recovery over any
// file system, driven step by step.
//
// It does what actors/boot.cpp, commit_log and flusher do, in the same order; only the derived store, which
// is RocksDB and not of the simulated disk, is a copy of the state in memory, taken at checkpoints. So the
// simulator can stop the node between any two steps and start it again. Messages to other nodes are among the
// outcomes: carrying them is the simulator's.
#pragma once

#include "broker/log_replay.hpp"
#include "broker/replica.hpp"
#include "storage/hard_state.hpp"
#include "storage/log_store.hpp"
#include "tests/simulation/derived_view.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::simulation {

// What a derived store would hold; outlives the node's process, and a power cut once it is durable.
struct derived_copy {
    broker::state state;
    derived_view view;
    log_position applied;
    log_position last_entry;
    log_position log_durable; // how far the log was flushed when this was taken
};

struct node_settings {
    storage::path store{"/store"};
    std::string name = "broker-a";
    std::vector<std::string> peers;
    storage::store_id id{}; // of a store that has none yet
    std::uint64_t segment_size = 16384;
    storage::write_mode writes = storage::write_mode::direct;
    bool sync = true; // SYNC_FLUSH
    std::optional<log_position> accept_data_loss;
    // Raft's, but for who it is.
    consensus::steady_ms heartbeat_interval{100};
    consensus::steady_ms election_timeout{1'000};
    std::uint64_t window_bytes = 16U << 20U;
    std::uint64_t seed = 1;
};

class simulated_node {
  public:
    // As a process start does, until the replica has made its first step: alone, it leads then, and its first
    // entry waits to be flushed. Errors as boot's.
    static result<std::unique_ptr<simulated_node>> start(storage::file_system& files,
                                                         const node_settings& settings,
                                                         const derived_copy& derived,
                                                         consensus::steady_ms now = consensus::steady_ms{0});

    // What a node does whose log is to begin anew, between two processes of it: as another member.
    static result<void> begin_anew(storage::file_system& files, const node_settings& settings,
                                   log_position first);

    // What came of the steps since the last call.
    struct outcomes {
        std::vector<broker::applied_batch> applied;
        std::vector<broker::rejected_batch> rejected;
        std::vector<broker::standing_answer> standings;
        std::vector<consensus::message> messages;
        std::vector<consensus::entries_wanted> reads;
        std::vector<log_position> flushes; // that wait for flush_until
        bool truncates = false;            // truncate() is waited for
        std::vector<shared_bytes> entries; // applied, fillers too, in log order
        std::vector<broker::queue_run> runs;
        bool fenced = false;
        std::optional<error> fence_reason;
        bool deposed = false;
        // The process ends, then begin_anew(), if so, and a start.
        std::optional<log_position> begin_at;
        bool is_seeded = false;
        std::string problem; // of the view
    };
    [[nodiscard]] outcomes take_outcomes() { return std::exchange(outcomes_, {}); }

    // Any event but the ends of disk operations, which come from the functions below.
    void step(broker::event what) { carry_out(replica_->step(std::move(what))); }
    void append(broker::entry_draft draft, broker::batch_ticket ticket, timestamp_ms now);
    void idle(timestamp_ms now);
    // Carries out a flush that is under way, if one is: the oldest, or with 1 the one behind it. With
    // ASYNC_FLUSH it only writes.
    void flush(std::size_t which = 0);
    // The one that ends there, if it is still to be done.
    void flush_until(log_position until);
    // What the last `truncate` effect wants.
    void truncate();
    // Reads what is wanted and steps with it.
    void read(const consensus::entries_wanted& wanted);
    // Flushes carried out before an older one.
    [[nodiscard]] std::uint64_t overtakings() const { return overtakings_; }
    // ASYNC_FLUSH's timer: what was written goes to the disk.
    void sync_late();

    // What the derived store holds from now on. Only now what was trimmed goes: a start that has less applied
    // needs it.
    [[nodiscard]] derived_copy checkpoint();
    // A leader's trim: the log may begin at `first`, the beginning of a segment.
    void trim(log_position first, broker::batch_ticket ticket, timestamp_ms now);

    [[nodiscard]] const broker::replica& replica() const { return *replica_; }
    [[nodiscard]] const derived_view& view() const { return view_; }
    [[nodiscard]] storage::log_store& log() { return *log_; }
    [[nodiscard]] const consensus::member& self() const { return replica_->raft().self(); }
    // As it is on the disk.
    [[nodiscard]] const storage::hard_state& identity() const { return hard_state_; }

  private:
    simulated_node(storage::file_system& files, node_settings settings);
    result<void> load_identity();
    result<void> open_log(const derived_copy& derived);
    result<broker::replayed_log> replay(const derived_copy& derived);
    void carry_out(broker::effects effects);
    void show(broker::state_changes& changes);

    storage::file_system& files_;
    const node_settings settings_;
    storage::hard_state hard_state_;
    std::unique_ptr<storage::log_store> log_;
    std::unique_ptr<broker::replica> replica_;
    derived_view view_;
    log_position last_entry_;
    std::vector<broker::flush_request> flushing_; // in log order
    std::optional<log_position> truncating_;
    std::map<log_position, shared_bytes> unapplied_; // what the flusher was given
    std::uint64_t overtakings_ = 0;
    outcomes outcomes_;
};

} // namespace holdfast::simulation
