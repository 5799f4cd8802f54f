#include "tests/simulation/simulated_node.hpp"

#include "broker/snapshot.hpp"
#include "storage/log_beginning.hpp"
#include "storage/read_entries.hpp"

#include <algorithm>

namespace holdfast::simulation {
namespace {

storage::path hard_state_file(const node_settings& settings) {
    return settings.store / "hard_state";
}

} // namespace

simulated_node::simulated_node(storage::file_system& files, node_settings settings)
    : files_(files), settings_(std::move(settings)) {}

result<std::unique_ptr<simulated_node>> simulated_node::start(storage::file_system& files,
                                                              const node_settings& settings,
                                                              const derived_copy& derived,
                                                              consensus::steady_ms now) {
    std::unique_ptr<simulated_node> self{new simulated_node{files, settings}};
    if (auto made = files.create_directories(settings.store); !made.ok())
        return made.failure();
    if (auto loaded = self->load_identity(); !loaded.ok())
        return loaded.failure();
    if (auto opened = self->open_log(derived); !opened.ok())
        return opened.failure();
    auto replayed = self->replay(derived);
    if (!replayed.ok())
        return replayed.failure();
    auto& log = replayed->start;
    self->last_entry_ = replayed->last_entry;
    for (const auto& entry : log.unapplied)
        self->unapplied_[storage::decode_entry_header(entry.view())->position] = entry;
    log.vote = {self->hard_state_.term, self->hard_state_.vote};
    broker::replica_settings replica;
    replica.raft.self = {settings.name, storage::to_string(self->hard_state_.id)};
    replica.raft.peers = settings.peers;
    replica.raft.heartbeat_interval = settings.heartbeat_interval;
    replica.raft.election_timeout = settings.election_timeout;
    replica.raft.window_bytes = settings.window_bytes;
    replica.raft.seed = settings.seed;
    replica.max_entry_size = settings.segment_size - storage::entry_alignment;
    replica.flushes_at_once = settings.sync ? storage::log_writer::lanes : 1;
    self->replica_ =
        std::make_unique<broker::replica>(std::move(replica), std::move(log), std::move(replayed->current));
    self->step(broker::started{now});
    return self;
}

// What is read here may not be on the disk yet: the last run's save may have failed at its end. A vote that
// is lost again must not be spoken of, so it is saved once more.
result<void> simulated_node::load_identity() {
    auto loaded = storage::load_hard_state(files_, hard_state_file(settings_));
    if (!loaded.ok())
        return loaded.failure();
    if (*loaded) {
        hard_state_ = std::move(**loaded);
    } else {
        hard_state_.id = settings_.id;
        hard_state_.cluster = "simulation";
        hard_state_.node_name = settings_.name;
    }
    return storage::save_hard_state(files_, hard_state_file(settings_), hard_state_);
}

result<void> simulated_node::open_log(const derived_copy& derived) {
    storage::log_options options;
    options.recovery.segments = {settings_.segment_size, settings_.writes};
    options.recovery.durable_until = derived.log_durable;
    options.recovery.scan_from = std::min(derived.last_entry, derived.log_durable);
    options.recovery.accept_loss_at = settings_.accept_data_loss;
    options.cache_bytes = 64U << 10U;
    auto opened = storage::log_store::open(files_, settings_.store, options);
    if (!opened.ok())
        return opened.failure();
    log_ = *std::move(opened);
    return {};
}

// A power cut may have taken what an ASYNC_FLUSH store has applied already, and a log that was begun anew has
// nothing that an older store could be continued with.
result<broker::replayed_log> simulated_node::replay(const derived_copy& derived) {
    const auto& recovered = log_->recovered();
    broker::known_state known;
    if (derived.applied <= recovered.end && derived.applied >= recovered.first) {
        known = {derived.state, derived.applied, derived.last_entry};
        view_ = derived.view;
    }
    broker::replay_listener listener;
    listener.changed = [this](const broker::state_changes& changes) {
        if (auto problem = view_.add(changes); !problem.empty())
            outcomes_.problem = std::move(problem);
    };
    return broker::replay_log(recovered, std::move(known), settings_.peers.empty(), listener);
}

// As boot.cpp: without its promises first, then without its log.
result<void> simulated_node::begin_anew(storage::file_system& files, const node_settings& settings,
                                        log_position first) {
    auto loaded = storage::load_hard_state(files, hard_state_file(settings));
    if (!loaded.ok())
        return loaded.failure();
    HOLDFAST_CHECK(loaded->has_value());
    (*loaded)->id = settings.id;
    (*loaded)->vote.clear();
    if (auto saved = storage::save_hard_state(files, hard_state_file(settings), **loaded); !saved.ok())
        return saved;
    return storage::begin_log_at(files, settings.store / "commitlog", first);
}

void simulated_node::carry_out(broker::effects effects) {
    if (effects.persist) {
        hard_state_.term = effects.persist->term;
        hard_state_.vote = effects.persist->vote;
        if (const auto saved = storage::save_hard_state(files_, hard_state_file(settings_), hard_state_);
            !saved.ok())
            return carry_out(replica_->step(broker::flush_failed{saved.failure()}));
    }
    if (effects.flush) {
        HOLDFAST_CHECK(flushing_.size() < storage::log_writer::lanes);
        for (const auto& entry : effects.flush->entries) {
            const auto position = storage::decode_entry_header(entry.view())->position;
            log_->cache().insert(position, entry);
            unapplied_[position] = entry;
        }
        outcomes_.flushes.push_back(effects.flush->until);
        flushing_.push_back(*std::move(effects.flush));
    }
    if (effects.truncate) {
        HOLDFAST_CHECK(flushing_.empty() && !truncating_);
        truncating_ = effects.truncate;
        unapplied_.erase(unapplied_.lower_bound(*truncating_), unapplied_.end());
        outcomes_.truncates = true;
    }
    if (replica_->last_applied_entry() > last_entry_)
        last_entry_ = replica_->last_applied_entry();
    const auto add = [](auto& to, auto& from) {
        to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
    };
    add(outcomes_.applied, effects.applied);
    add(outcomes_.rejected, effects.rejected);
    add(outcomes_.standings, effects.standings);
    add(outcomes_.messages, effects.messages);
    add(outcomes_.reads, effects.reads);
    while (!unapplied_.empty() && unapplied_.begin()->first < replica_->applied())
        outcomes_.entries.push_back(unapplied_.extract(unapplied_.begin()).mapped());
    outcomes_.fenced = outcomes_.fenced || effects.fenced.has_value();
    if (effects.fenced)
        outcomes_.fence_reason = std::move(effects.fenced);
    outcomes_.deposed = outcomes_.deposed || effects.was_deposed;
    if (effects.begin_at)
        outcomes_.begin_at = effects.begin_at;
    outcomes_.is_seeded = outcomes_.is_seeded || effects.is_seeded;
    show(effects.changes);
}

// As the read view does.
void simulated_node::show(broker::state_changes& changes) {
    if (auto problem = view_.add(changes); !problem.empty())
        outcomes_.problem = std::move(problem);
    for (auto& run : changes.runs)
        outcomes_.runs.push_back(std::move(run));
}

void simulated_node::append(broker::entry_draft draft, broker::batch_ticket ticket, timestamp_ms now) {
    broker::batches_received received;
    received.now = now;
    received.batches.push_back({std::move(draft), ticket});
    carry_out(replica_->step(std::move(received)));
}

void simulated_node::idle(timestamp_ms now) {
    carry_out(replica_->step(broker::idled{now}));
}

void simulated_node::flush(std::size_t which) {
    if (flushing_.empty())
        return;
    which = std::min(which, flushing_.size() - 1);
    overtakings_ += which;
    const auto request = std::move(flushing_[which]);
    flushing_.erase(flushing_.begin() + static_cast<std::ptrdiff_t>(which));
    auto& writer = log_->writer();
    auto outcome = writer.write(request.entries, request.first, request.lane);
    if (outcome.ok() && settings_.sync)
        outcome = writer.flush(request.lane);
    const auto durable = settings_.sync ? request.until : std::min(request.until, writer.flushed_until());
    if (outcome.ok())
        carry_out(replica_->step(broker::entries_flushed{request.until, durable}));
    else
        carry_out(replica_->step(broker::flush_failed{outcome.failure()}));
}

void simulated_node::flush_until(log_position until) {
    const auto which =
        std::find_if(flushing_.begin(), flushing_.end(), [&](const auto& one) { return one.until == until; });
    if (which != flushing_.end())
        flush(static_cast<std::size_t>(which - flushing_.begin()));
}

void simulated_node::truncate() {
    if (!truncating_)
        return;
    const auto at = *std::exchange(truncating_, std::nullopt);
    if (const auto done = log_->truncate(at); done.ok())
        step(broker::log_truncated{at});
    else
        step(broker::flush_failed{done.failure()});
}

void simulated_node::read(const consensus::entries_wanted& wanted) {
    auto stretch = storage::read_entries(log_->reader(), log_->segments(), wanted.first, replica_->flushed(),
                                         wanted.most_bytes);
    if (stretch.ok())
        step(broker::entries_read{wanted.to, wanted.first, stretch->last, std::move(stretch->entries)});
    else
        step(broker::entries_read{wanted.to, wanted.first, wanted.first, {}});
}

void simulated_node::sync_late() {
    auto& writer = log_->writer();
    if (settings_.sync || (writer.flushed_until() == writer.written_until() && !writer.failure()))
        return;
    if (const auto outcome = writer.flush(); outcome.ok())
        carry_out(replica_->step(broker::entries_flushed{writer.flushed_until(), writer.flushed_until()}));
    else
        carry_out(replica_->step(broker::flush_failed{outcome.failure()}));
}

void simulated_node::trim(log_position first, broker::batch_ticket ticket, timestamp_ms now) {
    broker::entry_draft draft;
    draft.add(broker::command_kind::trim,
              broker::encode_snapshot(replica_->current(), first, replica_->applied(), view_.firsts(first)));
    append(std::move(draft), ticket, now);
}

derived_copy simulated_node::checkpoint() {
    // Without power it is the next start that will do it.
    static_cast<void>(log_->remove_before(replica_->current().first_position()));
    return {replica_->current(), view_, replica_->applied(), last_entry_,
            std::min(replica_->durable(), replica_->applied())};
}

} // namespace holdfast::simulation
