#include "actors/commit_log.hpp"

#include "broker/snapshot.hpp"
#include "storage/entry.hpp"

#include <algorithm>
#include <spdlog/spdlog.h>
#include <utility>

namespace holdfast::actors {
namespace {

// It would do so for ever and in silence, until the disk is full.
void tell_what_stops_retention(const broker::transaction_table& halves, log_position wanted,
                               timestamp_ms now) {
    const auto oldest = halves.oldest();
    if (!oldest || *oldest >= wanted)
        return;
    const auto& half = *halves.find(*oldest);
    spdlog::warn("retention stops at {}, it could go to {}: a transaction of the producer group {} has been "
                 "undecided for {} h, {} in all are; start a producer of the group, which is then asked, or "
                 "see \"Transactions\" in docs/operations.md",
                 half.position.value(), wanted.value(), *half.group, (now - half.stored) / 3'600'000,
                 halves.size());
}

} // namespace

void commit_log_state::set_up(commit_log_actor::pointer self, broker::replica replica,
                              commit_log_environment environment, commit_log_settings settings) {
    self_ = self;
    replica_.emplace(std::move(replica));
    environment_ = std::move(environment);
    settings_ = settings;
    half_walk_.emplace(settings_.transaction_timeout);
    half_walk_->start(replica_->current().halves());
    checkpointed_ = replica_->applied();
    last_checkpoint_ = self_->clock().now();
}

void commit_log_state::connect(commit_log_helpers helpers) {
    flushers_.push_back(std::move(helpers.flusher));
    if (helpers.second_flusher)
        flushers_.push_back(std::move(helpers.second_flusher));
    checkpointer_ = std::move(helpers.checkpointer);
    indexer_ = std::move(helpers.indexer);
    replicators_ = std::move(helpers.replicators);
}

void commit_log_state::start() {
    self_->delayed_send(self_, settings_.tick_interval, tick_atom::value);
    if (settings_.raft_interval.count() > 0)
        self_->delayed_send(self_, settings_.raft_interval, raft_atom::value);
    first_entry_told_ = replica_->appended() > log_position{0};
    carry_out(replica_->step(broker::started{steady_now()}));
    environment_.on_stalled(false); // who was here before may have said so
    if (environment_.cluster != nullptr)
        publish_standing();
}

void commit_log_state::append(append_request& request) {
    const broker::batch_ticket ticket{next_ticket_++};
    waiting_.push_back({request.ticket, request.appender});
    broker::batches_received received;
    received.now = environment_.wall_clock();
    received.batches.push_back({std::move(request.draft), ticket});
    auto effects = replica_->step(std::move(received));
    // A refused batch is not in the log: it is the one that was just put at the end of the waiting.
    for (auto& refused : effects.rejected) {
        add_outcome(request.appender, {request.ticket, {}, {}, std::move(refused.reason)});
        waiting_.pop_back();
    }
    carry_out(std::move(effects));
}

void commit_log_state::flushed(const flush_report& report) {
    if (report.failure)
        carry_out(replica_->step(broker::flush_failed{*report.failure}));
    else
        carry_out(replica_->step(broker::entries_flushed{report.until, report.durable}));
    if (stopping_)
        finish_stopping();
}

void commit_log_state::carry_out(broker::effects effects) {
    if (effects.persist)
        if (const auto persisted = environment_.persist_vote(*effects.persist); !persisted.ok()) {
            carry_out(replica_->step(broker::flush_failed{persisted.failure()}));
            return;
        }
    if (!first_entry_told_ && replica_->appended() > log_position{0}) {
        first_entry_told_ = true;
        if (environment_.on_first_entry)
            environment_.on_first_entry();
    }
    if (effects.flush)
        hand_to_flusher(std::move(*effects.flush));
    if (effects.truncate)
        self_->send(flushers_.front(), cut_atom::value, *effects.truncate);
    send_to_peers(std::move(effects.messages));
    for (auto& wanted : effects.reads)
        if (const auto found = replicators_.find(wanted.to); found != replicators_.end())
            self_->send(found->second, read_atom::value,
                        std::make_shared<const wanted_entries>(
                            wanted_entries{std::move(wanted), replica_->handed()}));
    publish(effects.changes);
    answer(std::move(effects.applied));
    for (const auto& told : effects.standings)
        if (auto asked = asking_.extract(told.ticket); !asked.empty())
            asked.mapped().deliver(told.is_leading);
    if (effects.fenced) {
        environment_.on_fenced(*effects.fenced);
        fail_all(
            {errc::io_failed, "the log's disk failed before the message was safe, its fate is unknown: " +
                                  effects.fenced->message});
    }
    if (effects.was_deposed)
        fail_all({errc::timed_out,
                  "this node lost the lead before the message was on a majority of nodes, its fate is "
                  "unknown: send it again"});
    send_outcomes();
    follow_role();
    if (effects.begin_at || effects.is_seeded)
        environment_.on_ended(effects.begin_at);
    if (effects.was_deposed && environment_.on_deposed) {
        publish_standing();
        environment_.on_deposed();
    }
}

// The entries go into memory first, from where consumers and followers that are close behind are served.
void commit_log_state::hand_to_flusher(broker::flush_request request) {
    for (const auto& entry : request.entries) {
        const auto header = storage::decode_entry_header(entry.view());
        HOLDFAST_CHECK(header.ok());
        environment_.cache->insert(header->position, entry);
    }
    HOLDFAST_CHECK(request.lane < flushers_.size());
    self_->send(flushers_[request.lane], flush_atom::value,
                std::make_shared<const broker::flush_request>(std::move(request)));
}

void commit_log_state::follow_role() {
    if (leading_told_ || !replica_->ready())
        return;
    leading_told_ = true;
    if (environment_.cluster != nullptr)
        publish_standing();
    environment_.on_leading();
}

// Readers see a message before its producer gets the answer: an answered message can be consumed at once.
void commit_log_state::publish(const broker::state_changes& changes) {
    std::vector<storage::waiter_id> woken;
    environment_.view->apply(changes, woken);
    pending_.add(changes);
    half_walk_->note(changes.halves);
    environment_.view->publish({replica_->current().first_position(), replica_->appended(),
                                replica_->flushed(), replica_->committed(), replica_->applied()},
                               replica_->applied_time());
    for (const auto& change : changes.facts)
        if (const auto* const trimmed = std::get_if<broker::log_trimmed>(&change))
            self_->send(checkpointer_, trim_atom::value, trimmed->first);
    if (!woken.empty())
        for (auto& wake : environment_.waiters->group(woken))
            self_->send(wake.session, arrived_atom::value, std::move(wake.slots));
    if (replica_->applied() - checkpointed_ >= settings_.checkpoint_bytes ||
        pending_.size() >= settings_.checkpoint_changes)
        checkpoint();
    if (replica_->applied() - indexed_until_ >= settings_.index_bytes)
        tell_indexer();
}

void commit_log_state::tell_indexer() {
    if (replica_->is_seeding())
        return;
    indexed_until_ = replica_->applied();
    self_->send(indexer_, index_atom::value, indexed_until_);
}

void commit_log_state::answer(std::vector<broker::applied_batch> applied) {
    for (auto& batch : applied) {
        HOLDFAST_CHECK(!waiting_.empty());
        const auto appender = std::move(waiting_.front());
        waiting_.pop_front();
        add_outcome(appender.appender,
                    {appender.ticket, batch.position, std::move(batch.offsets), std::nullopt});
    }
}

// What was appended may or may not stay in the log; the one thing it can't be answered is OK.
void commit_log_state::fail_all(const error& unknown) {
    while (!waiting_.empty()) {
        const auto appender = std::move(waiting_.front());
        waiting_.pop_front();
        add_outcome(appender.appender, {appender.ticket, {}, {}, unknown});
    }
}

void commit_log_state::add_outcome(const appender_actor& appender, batch_outcome outcome) {
    if (!appender) // its own trim
        return;
    auto found = std::find_if(outcomes_.begin(), outcomes_.end(),
                              [&](const auto& gathered) { return gathered.first == appender; });
    if (found == outcomes_.end()) {
        outcomes_.emplace_back(appender, std::vector<batch_outcome>{});
        found = std::prev(outcomes_.end());
    }
    found->second.push_back(std::move(outcome));
}

void commit_log_state::send_outcomes() {
    for (auto& [appender, outcomes] : outcomes_)
        self_->send(appender, outcome_atom::value,
                    std::make_shared<const std::vector<batch_outcome>>(std::move(outcomes)));
    outcomes_.clear();
}

void commit_log_state::checkpoint() {
    if (saving_ || saving_failed_ || pending_.empty())
        return;
    // A majority elsewhere can be faster than the own disk. A store ahead of its log would be thrown away by
    // the next start. (With ASYNC_FLUSH that is the price of a power cut anyway.)
    if (settings_.is_sync && replica_->durable() < replica_->applied())
        return;
    saving_ = true;
    checkpointed_ = replica_->applied();
    last_checkpoint_ = self_->clock().now();
    auto job = std::make_shared<checkpoint_job>();
    job->checkpoint = pending_.take(replica_->current(), replica_->last_applied_entry(),
                                    std::min(replica_->durable(), checkpointed_));
    job->applied = checkpointed_;
    self_->send(checkpointer_, save_atom::value, std::move(job));
}

void commit_log_state::saved(bool succeeded) {
    saving_ = false;
    if (!succeeded) {
        saving_failed_ = true;
        carry_out(replica_->step(broker::flush_failed{
            {errc::io_failed, "the derived store can't be written; nothing answered is lost, the next start "
                              "works it out again from the log"}}));
    }
    if (stopping_)
        finish_stopping();
}

void commit_log_state::tick() {
    self_->delayed_send(self_, settings_.tick_interval, tick_atom::value);
    if (replica_->appended() == seen_at_tick_)
        carry_out(replica_->step(broker::idled{environment_.wall_clock()}));
    seen_at_tick_ = replica_->appended();
    if (self_->clock().now() - last_checkpoint_ >= settings_.checkpoint_interval)
        checkpoint();
    if (replica_->applied() > indexed_until_)
        tell_indexer();
    if (environment_.cluster != nullptr)
        watch_fullness();
}

void commit_log_state::plan(log_position wanted, timestamp_ms oldest_kept) {
    if (!replica_->ready())
        return;
    const auto limit = replica_->current().retention_limit(wanted, oldest_kept);
    tell_what_stops_retention(replica_->current().halves(), wanted, environment_.wall_clock());
    if (limit.first > replica_->current().first_position())
        self_->send(checkpointer_, plan_atom::value, limit.first, limit.references);
}

void commit_log_state::trim(const trim_plan& plan) {
    if (plan.first <= replica_->current().first_position())
        return;
    broker::append_batch batch;
    batch.draft.add(broker::command_kind::trim, broker::encode_snapshot(replica_->current(), plan.first,
                                                                        replica_->applied(), plan.firsts));
    batch.ticket = broker::batch_ticket{next_ticket_++};
    broker::batches_received received;
    received.now = environment_.wall_clock();
    received.batches.push_back(std::move(batch));
    auto effects = replica_->step(std::move(received));
    if (effects.rejected.empty())
        waiting_.push_back({0, {}});
    else
        spdlog::warn("old segments stay for now: {}", effects.rejected.front().reason.message);
    carry_out(std::move(effects));
}

half_report_ptr commit_log_state::halves(const half_query& query) {
    const auto& undecided = replica_->current().halves();
    auto report = std::make_shared<half_report>();
    report->grown_old = half_walk_->next(undecided, query.now, query.most_new);
    for (const auto position : query.due)
        if (const auto* const half = undecided.find(position))
            report->undecided.push_back(*half);
    return report;
}

caf::result<drained_atom> commit_log_state::stop() {
    stopping_ = true;
    stopping_since_ = steady_now();
    carry_out(replica_->step(broker::stopping{}));
    drained_ = self_->make_response_promise<drained_atom>();
    auto promise = drained_;
    finish_stopping();
    return promise;
}

void commit_log_state::finish_stopping() {
    if (!drained_.pending())
        return;
    const bool answered =
        waiting_.empty() && (!replica_->leading() || replica_->flushed() == replica_->appended());
    if (!answered)
        return;
    // Another node takes over, unless none can.
    const bool hands_over = replica_->leading() && settings_.raft_interval.count() > 0;
    if (hands_over && steady_now() - stopping_since_ < settings_.hand_over_time)
        return;
    if (!saving_ && !saving_failed_ && !pending_.empty())
        checkpoint();
    if (!saving_)
        drained_.deliver(drained_atom::value);
}

namespace {

// Whichever ends first. An index of keys that fails ends nothing.
void end_together(commit_log_actor::pointer log, const commit_log_helpers& helpers) {
    log->link_to(helpers.flusher);
    if (helpers.second_flusher)
        log->link_to(helpers.second_flusher);
    log->link_to(helpers.checkpointer);
    for (const auto& each : helpers.replicators)
        log->link_to(each.second);
    if (helpers.indexer)
        log->attach_functor(
            [indexer = helpers.indexer] { caf::anon_send_exit(indexer, caf::exit_reason::user_shutdown); });
}

} // namespace

commit_log_actor::behavior_type commit_log(commit_log_actor::stateful_pointer<commit_log_state> self,
                                           std::shared_ptr<broker::replica> replica,
                                           commit_log_environment environment, commit_log_settings settings,
                                           std::function<commit_log_helpers(commit_log_actor)> make_helpers) {
    // A bug in one of these would leave every send without an answer for ever: the node says so instead.
    self->attach_functor([tell = environment.on_fenced](const caf::error& reason) {
        if (reason && reason != caf::exit_reason::user_shutdown)
            tell(
                {errc::internal, "the commit log or one of its helpers failed, this is a bug of the broker"});
    });
    auto& state = self->state;
    state.set_up(self, std::move(*replica), std::move(environment), settings);
    auto helpers = make_helpers(self);
    end_together(self, helpers);
    state.connect(std::move(helpers));
    return {
        [self](start_atom) { self->state.start(); },
        [self](append_atom, const append_request_ptr& request) { self->state.append(*request); },
        [self](flushed_atom, const flush_report& report) { self->state.flushed(report); },
        [self](peer_atom, const std::string& from, const peer_frame& frame) {
            self->state.received(from, frame);
        },
        [self](found_atom, const std::string& peer, const std::string& incarnation,
               const std::string& hello) { self->state.found(peer, incarnation, hello); },
        [self](lost_atom, const std::string& peer) { self->state.lost(peer); },
        [self](raft_atom) { self->state.raft_tick(); },
        [self](read_atom, const entries_read_ptr& entries) { self->state.read(*entries); },
        [self](cut_atom, const flush_report& report) { self->state.cut(report); },
        [self](saved_atom, bool succeeded) { self->state.saved(succeeded); },
        [self](tick_atom) { self->state.tick(); },
        [self](plan_atom, log_position wanted, timestamp_ms oldest_kept) {
            self->state.plan(wanted, oldest_kept);
        },
        [self](trim_atom, const trim_plan_ptr& plan) { self->state.trim(*plan); },
        [self](halves_atom, const half_query_ptr& query) { return self->state.halves(*query); },
        [self](standing_atom) { return self->state.standing(); },
        [self](stop_atom) { return self->state.stop(); },
    };
}

} // namespace holdfast::actors
