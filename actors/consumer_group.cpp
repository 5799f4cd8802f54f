#include "actors/consumer_group.hpp"

#include "actors/limits.hpp"
#include "base/byte_buffer.hpp"
#include "protocol/names.hpp"

#include <spdlog/spdlog.h>
#include <utility>

namespace holdfast::actors {

void consumer_group_state::set_up(consumer_group_actor::pointer self, std::string group,
                                  std::shared_ptr<const session_environment> environment) {
    self_ = self;
    group_ = std::move(group);
    environment_ = std::move(environment);
    last_expiry_scan_ = self_->clock().now();
}

// --- members
// ----------------------------------------------------------------------------------------------------------

caf::result<bool> consumer_group_state::join(const group_member& member) {
    const auto id = member.connection->id();
    const auto change = membership_.heard(id, member.client_id, member.consumer, environment_->wall_clock());
    members_[id] = {member.connection,
                    {member.client_id, member.connection->peer().text, member.language, member.version}};
    if (change.members)
        spdlog::info("{} joined the group {} as {}", member.connection->peer().text, group_,
                     member.client_id);
    changed(change);
    if (!tick_is_due_) {
        tick_is_due_ = true;
        self_->delayed_send(self_, environment_->config->offset_commit_interval, tick_atom::value);
    }
    const bool durable = environment_->view->find_group(group_) &&
                         environment_->view->find_topic(protocol::retry_topic_of(group_));
    if (durable)
        return true;
    auto promise = self_->make_response_promise<bool>();
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
    auto request = std::make_shared<append_request>();
    auto config = environment_->view->find_group(group_);
    if (!config) {
        broker::group_config made;
        made.name = group_;
        made.notify_consumer_ids_changed = environment_->config->notify_consumer_changes;
        request->draft.add(broker::command_kind::group_create, broker::encode(made));
        config = std::make_shared<const broker::group_config>(std::move(made));
    }
    broker::topic_config retry;
    retry.name = protocol::retry_topic_of(group_);
    retry.read_queues = retry.write_queues = std::max(config->retry_queues, 1U);
    request->draft.add(broker::command_kind::topic_create, broker::encode(retry));
    request->ticket = next_ticket_++;
    request->appender = self_;
    joins_[request->ticket] = std::move(waiting);
    self_->send(environment_->log, append_atom::value, std::move(request));
}

void consumer_group_state::leave(connection_id who) {
    const auto member = members_.find(who);
    if (member == members_.end())
        return;
    spdlog::info("{} left the group {}", member->second.described.address, group_);
    members_.erase(member);
    changed(membership_.left(who));
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
    environment_->groups->publish(group_, std::move(snapshot));
}

// Protocol reference 4.2. Loss is tolerated: clients rebalance by themselves every so often.
void consumer_group_state::notify_members() {
    const auto config = environment_->view->find_group(group_);
    if ((config && !config->notify_consumer_ids_changed) || !environment_->config->notify_consumer_changes)
        return;
    byte_buffer notice;
    protocol::call how;
    how.oneway = true;
    protocol::append_request(notice, how, protocol::notify_consumer_ids_changed_request{group_});
    const auto bytes = notice.release();
    for (const auto& [id, member] : members_)
        member.connection->send(bytes);
}

// --- offsets
// ----------------------------------------------------------------------------------------------------------

void consumer_group_state::commit(const offsets_commit_request& request) {
    gathering_[request.commit.queue] = request.commit.next;
    if (request.connection) {
        gathering_waiters_.push_back({request.connection, request.answer});
        return append_offsets();
    }
    if (!tick_is_due_) {
        tick_is_due_ = true;
        self_->delayed_send(self_, environment_->config->offset_commit_interval, tick_atom::value);
    }
}

std::int64_t consumer_group_state::query(queue_key queue) const {
    if (const auto found = gathering_.find(queue); found != gathering_.end())
        return found->second.value();
    if (const auto found = in_flight_.find(queue); found != in_flight_.end())
        return found->second.value();
    return environment_->view->offset(group_, queue).value_or(queue_offset{-1}).value();
}

void consumer_group_state::append_offsets() {
    if (offsets_ticket_ != 0 || gathering_.empty())
        return;
    in_flight_ = std::exchange(gathering_, {});
    in_flight_waiters_ = std::exchange(gathering_waiters_, {});
    std::vector<broker::offset_commit> commits;
    commits.reserve(in_flight_.size());
    for (const auto& [queue, next] : in_flight_)
        if (environment_->view->offset(group_, queue) != next)
            commits.push_back({group_, queue, next});
    offsets_ticket_ = next_ticket_++;
    if (commits.empty())
        return offsets_done({offsets_ticket_, {}, {}, std::nullopt});
    auto request = std::make_shared<append_request>();
    request->draft.add(broker::command_kind::offsets_commit, broker::encode(commits));
    request->ticket = offsets_ticket_;
    request->appender = self_;
    self_->send(environment_->log, append_atom::value, std::move(request));
}

void consumer_group_state::offsets_done(const batch_outcome& outcome) {
    offsets_ticket_ = 0;
    in_flight_.clear();
    for (const auto& waiter : std::exchange(in_flight_waiters_, {})) {
        byte_buffer answer;
        if (outcome.failure)
            protocol::append_failure(answer, waiter.answer, protocol::response_code::system_error,
                                     outcome.failure->message);
        else
            protocol::append_success(answer, waiter.answer);
        waiter.connection->send(answer.release());
    }
    if (!gathering_waiters_.empty())
        append_offsets();
}

void consumer_group_state::outcomes(const std::vector<batch_outcome>& outcomes) {
    for (const auto& outcome : outcomes) {
        if (outcome.ticket == offsets_ticket_) {
            offsets_done(outcome);
            continue;
        }
        auto joins = joins_.extract(outcome.ticket);
        HOLDFAST_CHECK(!joins.empty());
        for (auto& promise : joins.mapped()) {
            if (outcome.failure)
                promise.deliver(caf::make_error(caf::sec::runtime_error, outcome.failure->message));
            else
                promise.deliver(true);
        }
    }
}

void consumer_group_state::tick() {
    tick_is_due_ = false;
    append_offsets();
    const auto now = self_->clock().now();
    if (now - last_expiry_scan_ >= limits::member_scan) {
        last_expiry_scan_ = now;
        const auto silent_since =
            environment_->wall_clock() - std::chrono::milliseconds{limits::member_expiry}.count();
        const auto gone = membership_.expire(silent_since);
        for (const auto who : gone)
            members_.erase(who);
        if (!gone.empty())
            changed({.members = true});
    }
    if (!members_.empty() || !gathering_.empty()) {
        tick_is_due_ = true;
        self_->delayed_send(self_, environment_->config->offset_commit_interval, tick_atom::value);
    }
}

consumer_group_actor::behavior_type
consumer_group(consumer_group_actor::stateful_pointer<consumer_group_state> self, std::string group,
               std::shared_ptr<const session_environment> environment) {
    self->state.set_up(self, std::move(group), std::move(environment));
    return {
        [self](join_atom, const group_member_ptr& member) { return self->state.join(*member); },
        [self](leave_atom, connection_id who) { self->state.leave(who); },
        [self](commit_atom, const offsets_commit_request_ptr& request) { self->state.commit(*request); },
        [self](query_atom, queue_key queue) { return self->state.query(queue); },
        [self](outcome_atom, const batch_outcomes_ptr& outcomes) { self->state.outcomes(*outcomes); },
        [self](tick_atom) { self->state.tick(); },
    };
}

// --- the directory
// ----------------------------------------------------------------------------------------------------

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
        },
        [=](query_atom query, const std::string& name, queue_key queue) -> caf::result<std::int64_t> {
            const auto found = self->state.groups.find(name);
            if (found != self->state.groups.end())
                return self->delegate(found->second, query, queue);
            // No actor, so nothing of it is on its way into the log: asking makes none.
            return environment()->view->offset(name, queue).value_or(queue_offset{-1}).value();
        },
        [=](tick_atom tick) {
            for (const auto& [name, group] : self->state.groups)
                self->send(group, tick);
        },
    };
}

} // namespace holdfast::actors
