#include "actors/transaction_coordinator.hpp"

#include "actors/limits.hpp"
#include "broker/served_record.hpp"
#include "protocol/message_id.hpp"
#include "protocol/stored_message.hpp"

#include <algorithm>
#include <limits>
#include <spdlog/spdlog.h>
#include <utility>

namespace holdfast::actors {

void transaction_coordinator_state::set_up(transaction_coordinator_actor::pointer self,
                                           std::shared_ptr<const session_environment> environment,
                                           entry_reader read_entry) {
    self_ = self;
    environment_ = std::move(environment);
    read_entry_ = std::move(read_entry);
    const auto& config = *environment_->config;
    schedule_.emplace(broker::check_rules{config.transaction_timeout, config.transaction_check_interval,
                                          config.transaction_check_max});
    tick_interval_ = std::clamp(std::min(config.transaction_timeout, config.transaction_check_interval) / 4,
                                limits::shortest_check_tick, limits::longest_check_tick);
    now_seen_ = last_expiry_ = self_->clock().now();
    self_->delayed_send(self_, tick_interval_, tick_atom::value);
}

void transaction_coordinator_state::tick() {
    self_->delayed_send(self_, tick_interval_, tick_atom::value);
    watch_clock();
    if (now_seen_ - last_expiry_ >= limits::member_scan) {
        last_expiry_ = now_seen_;
        environment_->producers->expire(now_seen_);
    }
    for (const auto& group : slow_groups_)
        schedule_->joined(group);
    slow_groups_.clear();
    if (!asking_log_ && environment_->health->leads() && environment_->health->now() != health::fenced)
        ask_log();
}

// Halves are stored at times of the log, which never fall either.
void transaction_coordinator_state::watch_clock() {
    const auto seen = self_->clock().now();
    const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(seen - now_seen_).count();
    now_ = std::max({now_ + passed, environment_->wall_clock(), environment_->view->log_time()});
    now_seen_ = seen;
}

void transaction_coordinator_state::joined(const std::vector<std::string>& groups) {
    for (const auto& group : groups)
        schedule_->joined(group);
}

void transaction_coordinator_state::ask_log() {
    asking_log_ = true;
    auto query = std::make_shared<half_query>();
    query->now = now_;
    query->most_new = limits::halves_per_report;
    query->due = schedule_->take_due(now_, limits::checks_per_turn);
    // No time limit: of what an answer says nobody is told again.
    self_->request(environment_->log, caf::infinite, halves_atom::value, half_query_ptr{std::move(query)})
        .then([this](const half_report_ptr& halves) { report(*halves); },
              [](const caf::error&) {
                  spdlog::warn("undecided transactions are not checked any more: the log has ended");
              });
}

void transaction_coordinator_state::report(const half_report& halves) {
    watch_clock();
    for (const auto& half : halves.grown_old) {
        if (schedule_->due(half) <= now_)
            look_at(half);
        else
            schedule_->add(half);
    }
    for (const auto& half : halves.undecided)
        look_at(half);
    for (auto& [id, to] : outgoing_)
        if (!to.frames.empty())
            to.connection->send(to.frames.release());
    outgoing_.clear();
    append_checks();
    asking_log_ = false;
    const bool more_grow_old = halves.grown_old.size() == limits::halves_per_report;
    if (more_grow_old || (slow_groups_.empty() && schedule_->has_due(now_)))
        ask_log();
}

void transaction_coordinator_state::look_at(const broker::half_message& half) {
    if (schedule_->judge(half) == broker::check_schedule::task::ask)
        return ask(half);
    spdlog::warn(
        "gave up a transaction of the producer group {}: asked {} times, still undecided; its message "
        "at position {} goes to TRANS_CHECK_MAX_TIME_TOPIC",
        *half.group, half.checks, half.position.value());
    checks_.push_back({half.position, broker::half_check_kind::given_up});
    schedule_->rest(half.position, now_);
}

void transaction_coordinator_state::ask(const broker::half_message& half) {
    const auto is_free = [this](const network::connection& candidate) {
        const auto gathered = outgoing_.find(candidate.id());
        return candidate.unwritten_bytes() +
                   (gathered == outgoing_.end() ? 0 : gathered->second.frames.size()) <
               limits::max_unread_check_bytes;
    };
    bool present = false;
    auto producer = environment_->producers->choose(*half.group, now_seen_, is_free, present);
    if (!producer) {
        if (present)
            slow_groups_.insert(*half.group);
        return schedule_->await(half, now_);
    }
    schedule_->rest(half.position, now_);
    auto& to = outgoing_[producer->id()];
    to.connection = std::move(producer);
    if (const auto written = write_check(half, to.frames); !written.ok())
        return spdlog::error("the undecided transaction at position {} can't be checked: {}",
                             half.position.value(), written.failure().message);
    checks_.push_back({half.position, broker::half_check_kind::sent});
}

// Protocol reference 4.1: the record with the half's number where its queue offset would be, and how often
// was asked, this time included.
result<void> transaction_coordinator_state::write_check(const broker::half_message& half, byte_buffer& out) {
    const auto entry = read_entry_(half.position);
    if (!entry.ok())
        return entry.failure();
    auto served = broker::served_record::of(entry->entry.view(), half.position - entry->position, {});
    if (!served.ok())
        return served.failure();
    served->add_property(protocol::property::transaction_check_times, std::to_string(half.checks + 1));
    record_.resize(served->size());
    served->write(queue_offset{half.number()}, record_.data());
    const auto message = protocol::decode_stored_message(record_);
    if (!message.ok())
        return message.failure();
    protocol::patch_sys_flag(record_.data(), message->sys_flag & ~protocol::sys_flag::transaction_mask);
    message_id_.resize(protocol::message_id_chars);
    protocol::write_message_id(message_id_.data(), environment_->intake.store_host, half.position);

    protocol::check_transaction_state_request request;
    request.state_table_offset = queue_offset{half.number()};
    request.commit_log_offset = half.position;
    request.message_id = message->property(protocol::property::unique_key).value_or("");
    request.transaction_id = request.message_id;
    request.offset_message_id = message_id_;
    request.topic = message->topic;
    protocol::call how;
    how.opaque = next_opaque_;
    how.oneway = true;
    next_opaque_ = next_opaque_ == std::numeric_limits<std::int32_t>::max() ? 1 : next_opaque_ + 1;
    protocol::append_request(out, how, request, record_);
    return {};
}

void transaction_coordinator_state::append_checks() {
    if (checks_.empty())
        return;
    auto request = std::make_shared<append_request>();
    request->draft.add(broker::command_kind::half_checks, broker::encode(checks_));
    request->ticket = next_ticket_++;
    request->appender = self_;
    checks_.clear();
    self_->send(environment_->log, append_atom::value, std::move(request));
}

// A check that was sent and could not be counted is made once more than transactionCheckMax says; what could
// not be given up is given up an interval later.
void transaction_coordinator_state::outcomes(const std::vector<batch_outcome>& outcomes) {
    for (const auto& outcome : outcomes)
        if (outcome.failure)
            spdlog::log(outcome.failure->code == errc::unavailable ? spdlog::level::debug
                                                                   : spdlog::level::warn,
                        "checks of transactions were not counted: {}", outcome.failure->message);
}

result<storage::cached_entry> read_half(const session_environment& environment, log_position position) {
    auto entry = environment.reader->entry_containing(position);
    if (!entry.ok())
        return unreadable(environment, entry.failure(), position);
    return entry;
}

transaction_coordinator_actor::behavior_type
transaction_coordinator(transaction_coordinator_actor::stateful_pointer<transaction_coordinator_state> self,
                        std::shared_ptr<const session_environment> environment,
                        transaction_coordinator_state::entry_reader read_entry) {
    self->state.set_up(self, std::move(environment), std::move(read_entry));
    return {
        [self](tick_atom) { self->state.tick(); },
        [self](joined_atom, const std::vector<std::string>& groups) { self->state.joined(groups); },
        [self](outcome_atom, const batch_outcomes_ptr& outcomes) { self->state.outcomes(*outcomes); },
    };
}

} // namespace holdfast::actors
