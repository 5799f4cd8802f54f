// What the fake broker answers when no script says otherwise.
#include "tests/client/fake_broker.hpp"

#include "tests/client/fake_session.hpp"

#include "protocol/admin_bodies.hpp"
#include "protocol/batch.hpp"
#include "protocol/heartbeat.hpp"
#include "protocol/message_id.hpp"
#include "protocol/queue_bodies.hpp"
#include "protocol/route.hpp"
#include "protocol/stored_message.hpp"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>

namespace holdfast::client::testing {

using protocol::answer_to;
using protocol::request_code;
using protocol::response_code;

namespace {

const std::string broker_name = "fake-broker";

void fail(const session_ptr& session, const protocol::remoting_command& command, response_code code,
          std::string_view remark) {
    byte_buffer out;
    protocol::append_failure(out, answer_to::of(command), code, remark);
    session->write(out.view());
}

template <class Response>
void answer(const session_ptr& session, const protocol::remoting_command& command, const Response& response,
            byte_view body = {}) {
    byte_buffer out;
    protocol::append_response(out, answer_to::of(command), response, body);
    session->write(out.view());
}

} // namespace

void fake_broker::serve(const session_ptr& session, const protocol::remoting_command& command) {
    if (!leads() && serve_as_follower(session, command))
        return;
    switch (command.request()) {
    case request_code::send_message_v2:
    case request_code::send_batch_message:
        return serve_send(session, command);
    case request_code::pull_message:
        return serve_pull(session, command);
    case request_code::query_consumer_offset:
    case request_code::update_consumer_offset:
    case request_code::search_offset_by_timestamp:
    case request_code::get_max_offset:
    case request_code::get_min_offset:
        return serve_offset(session, command);
    case request_code::heart_beat:
    case request_code::unregister_client:
    case request_code::get_consumer_list_by_group:
        return serve_group(session, command);
    case request_code::get_route_info_by_topic:
    case request_code::get_broker_cluster_info:
    case request_code::get_all_topic_list_from_name_server:
    case request_code::update_and_create_topic:
        return serve_topic(session, command);
    case request_code::end_transaction:
        return serve_end(session, command);
    case request_code::consumer_send_message_back:
        return serve_send_back(session, command);
    case request_code::lock_batch_mq:
    case request_code::unlock_batch_mq:
        return serve_locks(session, command);
    case request_code::view_message_by_id:
    case request_code::query_message:
        return serve_lookup(session, command);
    default:
        return fail(session, command, response_code::request_code_not_supported, "not supported");
    }
}

std::int64_t fake_broker::append(const std::string& topic, std::uint32_t queue, std::string_view body,
                                 std::string_view properties, std::int32_t sys_flag,
                                 std::int32_t reconsume_times) {
    log& to = logs_[{topic, queue}];
    const protocol::stored_message message{
        .queue = queue_number{queue},
        .offset = queue_offset{to.end()},
        .position = log_position{position_},
        .sys_flag = sys_flag,
        .born = timestamp_ms{1'000},
        .born_host = {0x7F000001, 4'321},
        .stored = timestamp_ms{2'000 + static_cast<std::int64_t>(to.records.size())},
        .store_host = {0x7F000001, port_},
        .reconsume_times = reconsume_times,
        .body = as_bytes(body),
        .topic = topic,
        .properties = properties,
        .more_properties = {}};
    std::string record(message.size(), '\0');
    protocol::write_stored_message(reinterpret_cast<std::byte*>(record.data()), message);
    position_ += record.size();
    to.records.push_back(std::move(record));
    return to.end() - 1;
}

void fake_broker::serve_send(const session_ptr& session, const protocol::remoting_command& command) {
    const auto request = protocol::decode_send_message(command);
    if (!request)
        return fail(session, command, response_code::system_error, request.failure().message);
    const std::string topic{request->topic};
    topics_.try_emplace(topic, topic_state{.queues = request->default_topic_queue_count, .permission = 6});
    const auto queue = static_cast<std::uint32_t>(request->queue_id);
    if ((request->sys_flag & protocol::sys_flag::transaction_mask) != 0)
        return serve_half(session, command, *request);
    const std::uint64_t position = position_;
    std::int64_t first = logs_[{topic, queue}].end();
    if (request->is_batch) {
        protocol::batch_reader reader{request->body};
        while (auto next = reader.next())
            if (next->ok())
                append(topic, queue, as_text((*next)->body), (*next)->properties, 0);
    } else {
        append(topic, queue, as_text(request->body), request->properties, request->sys_flag,
               request->reconsume_times);
    }
    wake(topic, queue);
    if (command.is_oneway())
        return;
    const std::string id = protocol::make_message_id({0x7F000001, port_}, log_position{position});
    answer(session, command,
           protocol::send_message_response{.message_id = id,
                                           .queue_id = request->queue_id,
                                           .offset = queue_offset{first},
                                           .transaction_id = {}});
}

void fake_broker::serve_pull(const session_ptr& session, const protocol::remoting_command& command) {
    const auto request = protocol::decode_header<protocol::pull_message_request>(command);
    if (!request)
        return fail(session, command, response_code::system_error, request.failure().message);
    parked_pull pull{session,
                     answer_to::of(command),
                     std::string{request->topic},
                     request->queue.value(),
                     request->offset.value(),
                     request->max_messages,
                     request->max_message_bytes};
    pullers_[{std::string{request->consumer_group}, {pull.topic, pull.queue}}] = session;
    const bool may_wait = request->has(protocol::pull_flag::suspend);
    if (!answer_pull(pull, !may_wait))
        park(std::move(pull), request->suspend_timeout_ms);
}

bool fake_broker::answer_pull(const parked_pull& pull, bool last_try) {
    const log& from = logs_[{pull.topic, pull.queue}];
    auto code = response_code::success;
    std::int64_t next = pull.offset;
    std::string body;
    if (pull.offset < from.first || pull.offset > from.end()) {
        code = response_code::pull_offset_moved;
        next = pull.offset < from.first ? from.first : from.end();
    } else if (pull.offset == from.end()) {
        if (!last_try)
            return false;
        code = response_code::pull_not_found;
    } else {
        const auto last = std::min(pull.offset + pull.most, from.end());
        for (; next < last; ++next) {
            const auto& record = from.records[static_cast<std::size_t>(next - from.first)];
            if (pull.most_bytes != 0 && !body.empty() &&
                body.size() + record.size() > static_cast<std::size_t>(pull.most_bytes))
                break;
            body += record;
        }
    }
    byte_buffer out;
    protocol::append_response(
        out, pull.to,
        protocol::pull_message_response{.suggest_broker_id = code == response_code::success ? suggested_ : 0,
                                        .next_begin_offset = queue_offset{next},
                                        .min_offset = queue_offset{from.first},
                                        .max_offset = queue_offset{from.end()}},
        as_bytes(body), code);
    pull.session->write(out.view());
    return true;
}

void fake_broker::park(parked_pull pull, std::int64_t timeout_ms) {
    const auto timer =
        std::make_shared<boost::asio::steady_timer>(io_, std::chrono::milliseconds{timeout_ms});
    timer->async_wait([this, timer, session = pull.session, opaque = pull.to.opaque](const auto& stopped) {
        const std::lock_guard lock{mutex_};
        const auto found = std::find_if(parked_.begin(), parked_.end(), [&](const parked_pull& each) {
            return each.session == session && each.to.opaque == opaque;
        });
        if (stopped || found == parked_.end())
            return;
        answer_pull(*found, true);
        parked_.erase(found);
    });
    parked_.push_back(std::move(pull));
}

void fake_broker::wake(const std::string& topic, std::uint32_t queue) {
    parked_.remove_if([&](const parked_pull& each) {
        return each.topic == topic && each.queue == queue && answer_pull(each, false);
    });
}

void fake_broker::serve_offset(const session_ptr& session, const protocol::remoting_command& command) {
    const std::string topic{command.find("topic").value_or("")};
    const auto queue =
        static_cast<std::uint32_t>(std::stoul(std::string{command.find("queueId").value_or("0")}));
    const std::string group{command.find("consumerGroup").value_or("")};
    const log& at = logs_[{topic, queue}];
    protocol::offset_response response;
    switch (command.request()) {
    case request_code::query_consumer_offset: {
        const auto found = offsets_.find({group, {topic, queue}});
        if (found == offsets_.end())
            return fail(session, command, response_code::query_not_found, "no offset");
        response.offset = queue_offset{found->second};
        break;
    }
    case request_code::update_consumer_offset:
        // A late word of who had the queue before changes nothing.
        if (const auto owner = pullers_.find({group, {topic, queue}});
            owner == pullers_.end() || owner->second == session)
            offsets_[{group, {topic, queue}}] = std::stoll(std::string{*command.find("commitOffset")});
        return answer(session, command, protocol::no_fields{});
    case request_code::get_max_offset:
        response.offset = queue_offset{at.end()};
        break;
    case request_code::get_min_offset:
        response.offset = queue_offset{at.first};
        break;
    default: {
        const auto when = timestamp_ms{std::stoll(std::string{*command.find("timestamp")})};
        response.offset = queue_offset{at.first};
        for (const std::string& record : at.records)
            if (protocol::decode_stored_message(as_bytes(record))->stored < when)
                ++response.offset;
    }
    }
    answer(session, command, response);
}

void fake_broker::serve_group(const session_ptr& session, const protocol::remoting_command& command) {
    if (command.request() == request_code::get_consumer_list_by_group) {
        std::vector<std::string> ids;
        for (const auto& [member, id] : groups_[std::string{*command.find("consumerGroup")}])
            ids.push_back(id);
        if (ids.empty())
            return fail(session, command, response_code::system_error, "no consumer for this group");
        return answer(session, command, protocol::no_fields{}, as_bytes(protocol::encode_consumer_ids(ids)));
    }
    if (command.request() == request_code::unregister_client) {
        const std::string group{command.find("consumerGroup").value_or("")};
        groups_[group].erase(session);
        producers_[std::string{command.find("producerGroup").value_or("")}].erase(session);
        answer(session, command, protocol::no_fields{});
        return notify_group(group);
    }
    const auto beat = protocol::decode_heartbeat(command.body());
    if (!beat)
        return fail(session, command, response_code::system_error, beat.failure().message);
    answer(session, command, protocol::no_fields{});
    for (const std::string& each : beat->producer_groups)
        producers_[each].insert(session);
    for (const protocol::consumer_data& each : beat->consumers) {
        topics_.try_emplace("%RETRY%" + each.group, topic_state{.queues = 1, .permission = 6});
        if (groups_[each.group].emplace(session, beat->client_id).second)
            notify_group(each.group);
    }
}

void fake_broker::notify_group(const std::string& group) {
    byte_buffer out;
    protocol::append_request(out, {.opaque = 7'000'000, .oneway = true, .remark = {}},
                             protocol::notify_consumer_ids_changed_request{.consumer_group = group});
    for (const auto& [session, id] : groups_[group])
        session->write(out.view());
}

void fake_broker::serve_topic(const session_ptr& session, const protocol::remoting_command& command) {
    protocol::broker_data self{.cluster = "fake-cluster", .broker_name = broker_name, .addresses = {}};
    if (!leads())
        self.addresses[1] = address();
    if (!leader_.empty())
        self.addresses[0] = leader_;
    if (leads() && !follower_.empty())
        self.addresses[1] = follower_;
    const std::string topic{command.find("topic").value_or("")};
    std::string body;
    switch (command.request()) {
    case request_code::get_route_info_by_topic: {
        const auto found = topics_.find(topic);
        if (found == topics_.end())
            return fail(session, command, response_code::topic_not_exist, "no route for " + topic);
        body = protocol::encode_route({.order_conf = {},
                                       .queues = {{broker_name, found->second.queues, found->second.queues,
                                                   found->second.permission, 0}},
                                       .brokers = {self}});
        break;
    }
    case request_code::get_broker_cluster_info:
        body = protocol::encode_cluster_info(
            {.brokers = {{broker_name, self}}, .clusters = {{"fake-cluster", {broker_name}}}});
        break;
    case request_code::update_and_create_topic:
        topics_[topic] = {.queues = std::stoi(std::string{*command.find("writeQueueNums")}),
                          .permission = std::stoi(std::string{*command.find("perm")})};
        break;
    default: {
        protocol::topic_list list;
        for (const auto& [name, state] : topics_)
            list.topics.push_back(name);
        body = protocol::encode_topic_list(list);
    }
    }
    answer(session, command, protocol::no_fields{}, as_bytes(body));
}

void fake_broker::serve_lookup(const session_ptr& session, const protocol::remoting_command& command) {
    const bool by_id = command.request() == request_code::view_message_by_id;
    const std::int64_t wanted = by_id ? std::stoll(std::string{*command.find("offset")}) : 0;
    std::string body;
    for (const auto& [queue, kept] : logs_)
        for (const std::string& record : kept.records) {
            const auto view = protocol::decode_stored_message(as_bytes(record));
            // By key the whole topic comes back: an index of hashes may bring false hits.
            if (by_id ? view->physical_offset == wanted : view->topic == *command.find("topic"))
                body += record;
        }
    if (body.empty())
        return fail(session, command, by_id ? response_code::system_error : response_code::query_not_found,
                    "not found");
    if (by_id)
        return answer(session, command, protocol::no_fields{}, as_bytes(body));
    answer(session, command, protocol::query_message_response{}, as_bytes(body));
}

} // namespace holdfast::client::testing
