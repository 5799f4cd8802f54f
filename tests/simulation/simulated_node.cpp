#include "tests/simulation/simulated_node.hpp"

#include "storage/log_scanner.hpp"

#include <algorithm>
#include <array>

namespace holdfast::simulation {
namespace {

const std::string node_name = "broker-a";

storage::path hard_state_file(const node_settings& settings) {
    return settings.store / "hard_state";
}

} // namespace

simulated_node::simulated_node(storage::file_system& files, node_settings settings)
    : files_(files), settings_(std::move(settings)) {}

result<std::unique_ptr<simulated_node>> simulated_node::start(storage::file_system& files,
                                                              const node_settings& settings,
                                                              const derived_copy& derived) {
    std::unique_ptr<simulated_node> self{new simulated_node{files, settings}};
    if (auto made = files.create_directories(settings.store); !made.ok())
        return made.failure();
    if (auto loaded = self->load_identity(); !loaded.ok())
        return loaded.failure();
    if (auto opened = self->open_log(derived); !opened.ok())
        return opened.failure();
    auto state = self->catch_up(derived);
    if (!state.ok())
        return state.failure();
    const auto timestamp = self->last_timestamp();
    if (!timestamp.ok())
        return timestamp.failure();
    const auto& recovered = self->log_->recovered();
    broker::replica_settings replica;
    replica.self = node_name;
    replica.members = {node_name};
    replica.max_entry_size = settings.segment_size - storage::entry_alignment;
    replica.flushes_at_once = settings.sync ? storage::log_writer::lanes : 1;
    self->replica_ = std::make_unique<broker::replica>(
        std::move(replica),
        broker::recovered_tail{recovered.end, std::max(recovered.last_term, self->hard_state_.term),
                               recovered.last_checksum, *timestamp, recovered.geometry},
        *std::move(state));
    self->last_entry_ = recovered.last_entry.value_or(recovered.first);
    self->carry_out(self->replica_->step(broker::started{}));
    return self;
}

result<void> simulated_node::load_identity() {
    auto loaded = storage::load_hard_state(files_, hard_state_file(settings_));
    if (!loaded.ok())
        return loaded.failure();
    if (*loaded) {
        hard_state_ = std::move(**loaded);
        return {};
    }
    hard_state_.cluster = "simulation";
    hard_state_.node_name = node_name;
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

result<broker::state> simulated_node::catch_up(const derived_copy& derived) {
    // ASYNC_FLUSH: a power cut may have taken what the store has applied already.
    const bool ahead = derived.applied > log_->recovered().end;
    auto state = ahead ? broker::state{} : derived.state;
    std::vector<queue_offset> offsets;
    auto applied = storage::for_each_entry(
        log_->segments(), ahead ? log_position{0} : derived.applied, log_->recovered().end,
        [&](const storage::scanned_entry& entry) -> result<void> {
            broker::state_changes changes;
            auto outcome = state.apply(entry.bytes, entry.header.position, changes, offsets);
            state.collect_runs(changes);
            return outcome;
        });
    if (!applied.ok())
        return applied.failure();
    return state;
}

result<timestamp_ms> simulated_node::last_timestamp() const {
    const auto& recovered = log_->recovered();
    if (!recovered.last_entry)
        return timestamp_ms{0};
    std::array<std::byte, storage::entry_header_size> bytes{};
    const auto segment = recovered.segments->find(*recovered.last_entry);
    if (auto read = segment->read(*recovered.last_entry, bytes); !read.ok())
        return read.failure();
    const auto header = storage::decode_entry_header(bytes);
    if (!header.ok())
        return header.failure();
    return header->timestamp;
}

void simulated_node::carry_out(broker::effects effects) {
    if (effects.persist_term) {
        hard_state_.term = *effects.persist_term;
        hard_state_.vote = node_name;
        if (const auto saved = storage::save_hard_state(files_, hard_state_file(settings_), hard_state_);
            saved.ok())
            carry_out(replica_->step(broker::term_persisted{}));
        else
            carry_out(replica_->step(broker::flush_failed{saved.failure()}));
    }
    if (effects.flush) {
        HOLDFAST_CHECK(flushing_.size() < storage::log_writer::lanes);
        for (const auto& entry : effects.flush->entries)
            log_->cache().insert(storage::decode_entry_header(entry.view())->position, entry);
        flushing_.push_back(*std::move(effects.flush));
    }
    if (replica_->last_applied_entry() > last_entry_)
        last_entry_ = replica_->last_applied_entry();
    for (auto& batch : effects.applied)
        outcomes_.applied.push_back(std::move(batch));
    for (auto& batch : effects.rejected)
        outcomes_.rejected.push_back(std::move(batch));
    outcomes_.fenced = outcomes_.fenced || effects.fenced.has_value();
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

void simulated_node::sync_late() {
    auto& writer = log_->writer();
    if (settings_.sync || (writer.flushed_until() == writer.written_until() && !writer.failure()))
        return;
    if (const auto outcome = writer.flush(); outcome.ok())
        carry_out(replica_->step(broker::entries_flushed{writer.flushed_until(), writer.flushed_until()}));
    else
        carry_out(replica_->step(broker::flush_failed{outcome.failure()}));
}

derived_copy simulated_node::checkpoint() const {
    return {replica_->current(), replica_->applied(), last_entry_,
            std::min(replica_->durable(), replica_->applied())};
}

} // namespace holdfast::simulation
