#include "actors/consumer_group.hpp"

#include "actors/limits.hpp"
#include "base/byte_buffer.hpp"
#include "broker/offset_fence.hpp"
#include "protocol/names.hpp"

#include <memory>
#include <spdlog/spdlog.h>
#include <utility>

namespace holdfast::actors {

void consumer_group_state::set_up(consumer_group_actor::pointer self, std::string group,
                                  std::shared_ptr<const session_environment> environment) {
    context_.self = self;
    context_.group = std::move(group);
    context_.environment = std::move(environment);
    offsets_.emplace(context_, [this](const offsets_reset_request& reset, const queue_offsets& moved) {
        tell_members(reset, moved);
    });
    locks_.emplace(context_);
    last_expiry_scan_ = context_.now();
}

// --- members
// ----------------------------------------------------------------------------------------------------------

caf::result<bool> consumer_group_state::join(const group_member& member) {
    const auto& environment = *context_.environment;
    const auto id = member.connection->id();
    const auto change = membership_.heard(id, member.client_id, member.consumer, environment.wall_clock());
    members_[id] = {member.connection,
                    {member.client_id, member.connection->peer().text, member.language, member.version}};
    if (change.members)
        spdlog::info("{} joined the group {} as {}", member.connection->peer().text, context_.group,
                     member.client_id);
    changed(change);
    tick_later();
    const bool durable = environment.view->find_group(context_.group) &&
                         environment.view->find_topic(protocol::retry_topic_of(context_.group));
    if (durable)
        return true;
    auto promise = context_.self->make_response_promise<bool>();
    make_durable({promise});
    return promise;
}

// The group and its retry topic (trap T14) become facts of the log before the heartbeat is answered.
void consumer_group_state::make_durable(std::vector<caf::typed_response_promise<bool>> waiting) {
    if (!joins_.empty()) {
        auto& joins = joins_.begin()->second;
        joins.insert(joins.end(), waiting.begin(), waiting.end());
        return;
    }
    broker::entry_draft draft;
    auto config = context_.environment->view->find_group(context_.group);
    if (!config) {
        broker::group_config made;
        made.name = context_.group;
        made.notify_consumer_ids_changed = context_.environment->config->notify_consumer_changes;
        draft.add(broker::command_kind::group_create, broker::encode(made));
        config = std::make_shared<const broker::group_config>(std::move(made));
    }
    broker::topic_config retry;
    retry.name = protocol::retry_topic_of(context_.group);
    retry.read_queues = retry.write_queues = std::max(config->retry_queues, 1U);
    draft.add(broker::command_kind::topic_create, broker::encode(retry));
    joins_[context_.append(std::move(draft))] = std::move(waiting);
}

void consumer_group_state::joins_done(const batch_outcome& outcome) {
    auto joins = joins_.extract(outcome.ticket);
    HOLDFAST_CHECK(!joins.empty());
    for (auto& promise : joins.mapped()) {
        if (outcome.failure)
            promise.deliver(caf::make_error(caf::sec::runtime_error, outcome.failure->message));
        else
            promise.deliver(true);
    }
}

void consumer_group_state::leave(connection_id who) {
    const auto member = members_.find(who);
    if (member != members_.end())
        spdlog::info("{} left the group {}", member->second.described.address, context_.group);
    forget(who);
    changed(membership_.left(who));
}

void consumer_group_state::forget(connection_id member) {
    members_.erase(member);
    context_.environment->owners->forget(context_.group, member);
}

void consumer_group_state::changed(const broker::membership_change& change) {
    if (change.any())
        publish();
    if (change.rebalance())
        notify_members();
}

void consumer_group_state::publish() {
    auto snapshot = std::make_shared<group_snapshot>();
    for (const auto& [id, member] : members_)
        snapshot->members.push_back(member.described);
    for (const auto& [topic, subscription] : membership_.subscriptions())
        snapshot->subscriptions[topic] = {subscription.data, subscription.filter};
    snapshot->type = membership_.type();
    snapshot->model = membership_.model();
    snapshot->from = membership_.from();
    context_.environment->groups->publish(context_.group, std::move(snapshot));
}

// Protocol reference 4.2. Loss is tolerated: clients rebalance by themselves every so often.
void consumer_group_state::notify_members() {
    const auto config = context_.environment->view->find_group(context_.group);
    if ((config && !config->notify_consumer_ids_changed) ||
        !context_.environment->config->notify_consumer_changes)
        return;
    byte_buffer notice;
    protocol::call how;
    how.oneway = true;
    protocol::append_request(notice, how, protocol::notify_consumer_ids_changed_request{context_.group});
    const auto bytes = notice.release();
    for (const auto& [id, member] : members_)
        member.connection->send(bytes);
}

// --- offsets
// ----------------------------------------------------------------------------------------------------------

void consumer_group_state::commit(const offsets_commit_request& request) {
    if (counts(request)) {
        offsets_->commit(request);
        return tick_later();
    }
    spdlog::debug("{} commits offset {} of the group {} for a queue that is not its own: ignored",
                  request.connection->peer().text, request.commit.next.value(), context_.group);
    if (request.answered) {
        byte_buffer answer;
        protocol::append_success(answer, request.answer);
        request.connection->send(answer.release());
    }
}

bool consumer_group_state::counts(const offsets_commit_request& request) const {
    const auto& environment = *context_.environment;
    const auto queue = request.commit.queue;
    const auto committer = request.connection->id();
    const auto member = members_.find(committer);
    broker::commit_circumstances when;
    when.by_tool = request.by_tool;
    const auto owner = environment.owners->find(context_.group, queue);
    const auto lock_owner = locks_->holder(queue);
    if (member != members_.end())
        when.client = member->second.described.client_id;
    when.lock_owner = lock_owner;
    when.owner_is_known = owner.connection && members_.contains(*owner.connection);
    when.by_owner = owner.connection == committer;
    when.is_reset = owner.is_moved || offsets_->is_resetting(queue);
    when.behind_the_end = request.commit.next > environment.view->queues().bounds(queue).last;
    return broker::commit_counts(when);
}

// C++ clients read another form of the order. Whoever asks for a reset may say that it is for such clients
// (mqadmin has a switch); that is believed for those which do not say themselves what they are.
static bool reads_lists(protocol::language member, protocol::language asked_for) {
    using protocol::language;
    return member == language::cpp ||
           (asked_for == language::cpp && member != language::java && member != language::go);
}

// Clients that know request 220 (protocol reference 4.3) move at once. The others, and those who miss it, are
// moved by their next pull, or by the one that is held now.
void consumer_group_state::tell_members(const offsets_reset_request& reset, const queue_offsets& moved) {
    const auto& environment = *context_.environment;
    auto queues = std::make_shared<moved_queues>();
    queues->group = context_.group;
    protocol::queue_offset_table table;
    for (const auto& [queue, to] : moved) {
        environment.owners->move(context_.group, queue, to);
        queues->queues.push_back(queue);
        table[{reset.topic, environment.config->broker_name,
               static_cast<std::int32_t>(queue.queue.value())}] = to;
    }
    // An order that no frame can hold goes to nobody: their pulls move them.
    const auto order = [&](const std::string& body) -> shared_bytes {
        if (body.size() > protocol::limits::max_frame_bytes - protocol::limits::max_header_bytes)
            return {};
        byte_buffer out;
        protocol::call how;
        how.oneway = true;
        protocol::append_request(out, how,
                                 protocol::reset_client_offset_request{reset.topic, context_.group,
                                                                       reset.timestamp, reset.is_forced,
                                                                       std::nullopt, std::nullopt},
                                 as_bytes(body));
        return out.release();
    };
    const auto for_most = order(protocol::encode_offset_table(table));
    const auto for_cpp = order(protocol::encode_offset_list(table));
    for (const auto& [id, member] : members_) {
        const auto& what = reads_lists(member.described.language, reset.language) ? for_cpp : for_most;
        if (!what.empty())
            member.connection->send(what);
        if (const auto session = environment.waiters->find(id))
            context_.self->send(session, moved_atom::value, moved_queues_ptr{queues});
    }
}

// --- turns
// ------------------------------------------------------------------------------------------------------------

void consumer_group_state::outcomes(const std::vector<batch_outcome>& outcomes) {
    for (const auto& outcome : outcomes)
        if (!offsets_->outcome(outcome) && !locks_->outcome(outcome))
            joins_done(outcome);
}

void consumer_group_state::tick_later() {
    if (tick_is_due_)
        return;
    tick_is_due_ = true;
    context_.self->delayed_send(context_.self, context_.environment->config->offset_commit_interval,
                                tick_atom::value);
}

void consumer_group_state::tick() {
    tick_is_due_ = false;
    offsets_->flush();
    const auto now = context_.now();
    if (now - last_expiry_scan_ >= limits::member_scan) {
        last_expiry_scan_ = now;
        const auto silent_since =
            context_.environment->wall_clock() - std::chrono::milliseconds{limits::member_expiry}.count();
        const auto gone = membership_.expire(silent_since);
        for (const auto who : gone)
            forget(who);
        if (!gone.empty())
            changed({.members = true});
        locks_->tidy();
    }
    if (!members_.empty() || offsets_->gathers())
        tick_later();
}

consumer_group_actor::behavior_type
consumer_group(consumer_group_actor::stateful_pointer<consumer_group_state> self, std::string group,
               std::shared_ptr<const session_environment> environment) {
    self->state.set_up(self, std::move(group), std::move(environment));
    return {
        [self](join_atom, const group_member_ptr& member) { return self->state.join(*member); },
        [self](leave_atom, connection_id who) { self->state.leave(who); },
        [self](commit_atom, const offsets_commit_request_ptr& request) { self->state.commit(*request); },
        [self](query_atom, queue_key queue) { return self->state.offsets().query(queue); },
        [self](reset_atom, const offsets_reset_request_ptr& request) {
            return self->state.offsets().reset(request);
        },
        [self](lock_atom, const queue_lock_request_ptr& request) { self->state.locks().request(request); },
        [self](outcome_atom, const batch_outcomes_ptr& outcomes) { self->state.outcomes(*outcomes); },
        [self](tick_atom) { self->state.tick(); },
        [self](stop_atom) { return self->state.offsets().drain(); },
    };
}

// --- the directory
// ----------------------------------------------------------------------------------------------------

namespace {

template <class Request>
void refuse(const Request& request) {
    byte_buffer answer;
    protocol::append_failure(answer, request.answer, protocol::response_code::system_error,
                             "this broker has its limit of consumer groups");
    request.connection->send(answer.release());
}

} // namespace

group_directory_actor::behavior_type
group_directory(group_directory_actor::stateful_pointer<group_directory_state> self,
                std::function<std::shared_ptr<const session_environment>()> environment) {
    const auto find_or_make = [self, environment](const std::string& group) -> consumer_group_actor {
        auto& groups = self->state.groups;
        const auto found = groups.find(group);
        if (found != groups.end())
            return found->second;
        if (groups.size() >= limits::max_groups) {
            spdlog::warn("the group {} is refused: this broker has its limit of {} groups", group,
                         limits::max_groups);
            return {};
        }
        return groups.emplace(group, self->spawn<caf::linked>(consumer_group, group, environment()))
            .first->second;
    };
    return {
        [=](join_atom join, const group_member_ptr& member) -> caf::result<bool> {
            const auto group = find_or_make(member->consumer.group);
            if (!group)
                return caf::make_error(caf::sec::runtime_error, "too many groups");
            return self->delegate(group, join, member);
        },
        [=](leave_atom leave, const std::string& group, connection_id who) {
            const auto found = self->state.groups.find(group);
            if (found != self->state.groups.end())
                self->send(found->second, leave, who);
        },
        [=](commit_atom commit, const offsets_commit_request_ptr& request) {
            if (const auto group = find_or_make(request->group))
                self->send(group, commit, request);
            else if (request->answered)
                refuse(*request);
        },
        [=](query_atom query, const std::string& name, queue_key queue) -> caf::result<std::int64_t> {
            const auto found = self->state.groups.find(name);
            if (found != self->state.groups.end())
                return self->delegate(found->second, query, queue);
            // No actor, so nothing of it is on its way into the log: asking makes none.
            return stored_offset(*environment()->view, name, queue);
        },
        [=](reset_atom reset, const offsets_reset_request_ptr& request) -> caf::result<queue_offsets_ptr> {
            const auto group = find_or_make(request->group);
            if (!group)
                return caf::make_error(caf::sec::runtime_error, "too many groups");
            return self->delegate(group, reset, request);
        },
        [=](lock_atom lock, const queue_lock_request_ptr& request) {
            if (const auto group = find_or_make(request->group))
                self->send(group, lock, request);
            else if (request->connection)
                refuse(*request);
        },
        [=](tick_atom tick) {
            for (const auto& [name, group] : self->state.groups)
                self->send(group, tick);
        },
        [=](stop_atom stop) -> caf::result<drained_atom> {
            if (self->state.groups.empty())
                return drained_atom::value;
            struct progress {
                std::size_t left;
                caf::typed_response_promise<drained_atom> promise;
            };
            const auto state = std::make_shared<progress>(
                progress{self->state.groups.size(), self->make_response_promise<drained_atom>()});
            const auto one_less = [state] {
                if (--state->left == 0)
                    state->promise.deliver(drained_atom::value);
            };
            for (const auto& [name, group] : self->state.groups)
                self->request(group, limits::request_timeout, stop)
                    .then([one_less](drained_atom) { one_less(); },
                          [one_less](const caf::error&) { one_less(); });
            return state->promise;
        },
    };
}

} // namespace holdfast::actors
