#include "actors/group_admin.hpp"

#include "actors/limits.hpp"
#include "base/byte_buffer.hpp"
#include "protocol/names.hpp"

#include <algorithm>
#include <spdlog/spdlog.h>
#include <utility>

namespace holdfast::actors {

using protocol::request_code;
using protocol::response_code;

bool group_admin::handle(const connection_ptr& from, const protocol::remoting_command& command) {
    const auto asked = std::make_shared<job>();
    asked->connection = from;
    asked->answer = protocol::answer_to::of(command);
    asked->oneway = command.is_oneway();
    switch (command.request()) {
    case request_code::invoke_broker_to_reset_offset:
        reset(asked, command);
        return true;
    case request_code::clone_group_offset:
        clone(asked, command);
        return true;
    case request_code::get_all_consumer_offset:
        all_offsets(asked);
        return true;
    default:
        return false;
    }
}

template <class Request>
std::optional<Request> group_admin::decode(const job_ptr& asked, const protocol::remoting_command& command) {
    auto request = protocol::decode_header<Request>(command);
    if (request.ok())
        return std::move(*request);
    refuse(asked, response_code::system_error, request.failure().message);
    return std::nullopt;
}

bool group_admin::is_known(std::string_view group) const {
    const auto& view = *environment_->view;
    return view.find_group(group) || environment_->groups->find(group) || !view.offsets_of(group).empty();
}

void group_admin::reset(const job_ptr& asked, const protocol::remoting_command& command) {
    const auto request = decode<protocol::reset_offset_request>(asked, command);
    if (!request)
        return;
    const auto topic = environment_->view->find_topic(request->topic);
    if (!topic)
        return refuse(asked, response_code::topic_not_exist,
                      "the topic " + std::string{request->topic} + " does not exist");
    if (!is_known(request->group))
        return refuse(asked, response_code::subscription_group_not_exist,
                      "the consumer group " + std::string{request->group} + " does not exist");
    const auto only_queue = request->queue_id.value_or(-1);
    const bool exact = request->offset.value_or(-1) != -1;
    if (only_queue < -1 || only_queue >= static_cast<std::int64_t>(topic->read_queues))
        return refuse(asked, response_code::system_error,
                      "queueId " + std::to_string(only_queue) + " is outside the topic " + topic->name +
                          ", which has " + std::to_string(topic->read_queues) + " queues to read");
    if (exact && only_queue == -1)
        return refuse(asked, response_code::system_error, "an offset needs a queueId that it is meant for");
    auto wanted = std::make_shared<offsets_reset_request>();
    wanted->group = request->group;
    wanted->topic = topic->name;
    wanted->timestamp = request->timestamp;
    wanted->is_forced = request->is_forced;
    wanted->language = command.language();
    wanted->only_backwards = !request->is_forced && !exact;
    const auto add = [&](std::uint32_t number) {
        const queue_key queue{topic->id, queue_number{number}};
        wanted->targets.emplace_back(queue, environment_->view->queues().bounds(queue).last);
    };
    if (only_queue != -1)
        add(static_cast<std::uint32_t>(only_queue));
    else
        for (std::uint32_t number = 0; number < topic->read_queues; ++number)
            add(number);
    if (exact) {
        auto& [queue, to] = wanted->targets.front();
        const auto bounds = environment_->view->queues().bounds(queue);
        to = queue_offset{*request->offset};
        if (to < bounds.first || to > bounds.last)
            return refuse(asked, response_code::system_error,
                          "offset " + std::to_string(to.value()) + " is outside the queue, which goes from " +
                              std::to_string(bounds.first.value()) + " to " +
                              std::to_string(bounds.last.value()));
    }
    asked->resets.push_back(std::move(wanted));
    asked->answers_table = true;
    asked->what = "reset the group " + std::string{request->group} + " in the topic " + topic->name;
    if (exact || request->timestamp == timestamp_ms{-1})
        return carry_out(asked);
    search(asked, request->timestamp);
}

// Times are found by readers, which may wait for the disk.
void group_admin::search(const job_ptr& asked, timestamp_ms time) {
    const auto wanted = asked->resets.front();
    asked->searches = wanted->targets.size();
    const auto one_less = [this, asked] {
        if (--asked->searches == 0)
            carry_out(asked);
    };
    for (std::size_t i = 0; i < wanted->targets.size(); ++i)
        self_
            ->request(environment_->readers[i % environment_->readers.size()], limits::request_timeout,
                      query_atom::value, wanted->targets[i].first, time)
            .then(
                [=](std::int64_t found) {
                    wanted->targets[i].second = queue_offset{found};
                    one_less();
                },
                [=](const caf::error&) {
                    asked->failure = "the offset at that time could not be found, nothing was changed";
                    one_less();
                });
}

void group_admin::clone(const job_ptr& asked, const protocol::remoting_command& command) {
    const auto request = decode<protocol::clone_group_offset_request>(asked, command);
    if (!request)
        return;
    if (const auto named = protocol::check_group_name(request->to_group); !named.ok())
        return refuse(asked, response_code::system_error, named.failure().message);
    if (!is_known(request->from_group))
        return refuse(asked, response_code::subscription_group_not_exist,
                      "the consumer group " + std::string{request->from_group} + " does not exist");
    if (!request->topic.empty() && !environment_->view->find_topic(request->topic))
        return refuse(asked, response_code::topic_not_exist,
                      "the topic " + std::string{request->topic} + " does not exist");
    const auto offsets = environment_->view->offsets_of(request->from_group);
    const auto own_retries = protocol::retry_topic_of(request->from_group);
    for (const auto& topic : environment_->view->topics()) {
        // Its retries are its own business.
        if (topic->name == own_retries || (!request->topic.empty() && topic->name != request->topic))
            continue;
        auto wanted = std::make_shared<offsets_reset_request>();
        wanted->group = request->to_group;
        wanted->topic = topic->name;
        wanted->is_forced = true;
        wanted->language = command.language();
        for (auto at = offsets.lower_bound({topic->id, queue_number{0}});
             at != offsets.end() && at->first.topic == topic->id; ++at)
            wanted->targets.emplace_back(at->first, at->second);
        if (!wanted->targets.empty())
            asked->resets.push_back(std::move(wanted));
    }
    if (asked->resets.empty())
        return refuse(asked, response_code::query_not_found,
                      "the consumer group " + std::string{request->from_group} +
                          " has no offsets to copy there");
    asked->what = "copied the offsets of the group " + std::string{request->from_group} + " to " +
                  std::string{request->to_group};
    carry_out(asked);
}

void group_admin::carry_out(const job_ptr& asked) {
    if (!asked->failure.empty() || asked->resets.empty())
        return finish(asked);
    const offsets_reset_request_ptr wanted = std::move(asked->resets.front());
    asked->resets.pop_front();
    self_->request(environment_->directory, limits::request_timeout, reset_atom::value, wanted)
        .then(
            [this, asked, wanted](const queue_offsets_ptr& after) {
                for (const auto& [queue, offset] : *after)
                    asked->table[{wanted->topic, environment_->config->broker_name,
                                  static_cast<std::int32_t>(queue.queue.value())}] = offset;
                carry_out(asked);
            },
            [this, asked](const caf::error& why) {
                if (why == caf::sec::request_timeout)
                    return asked->connection->close_after_flush("whether offsets are stored is not known: " +
                                                                self_->system().render(why));
                asked->failure =
                    "the offsets could not be stored, or only some of them: " + self_->system().render(why);
                finish(asked);
            });
}

void group_admin::finish(const job_ptr& asked) {
    if (!asked->failure.empty())
        return refuse(asked, response_code::system_error, asked->failure);
    spdlog::info("{} {}", asked->connection->peer().text, asked->what);
    answer(asked, asked->answers_table ? protocol::encode_offset_table(asked->table) : std::string{});
}

void group_admin::all_offsets(const job_ptr& asked) {
    protocol::stored_offsets stored;
    std::map<topic_id, std::string> names;
    for (const auto& topic : environment_->view->topics())
        names[topic->id] = topic->name;
    for (const auto& [group, offsets] : environment_->view->all_offsets())
        for (const auto& [queue, offset] : offsets)
            if (const auto topic = names.find(queue.topic); topic != names.end())
                stored[topic->second + "@" + group][static_cast<std::int32_t>(queue.queue.value())] = offset;
    answer(asked, protocol::encode_stored_offsets(stored));
}

void group_admin::answer(const job_ptr& asked, const std::string& body) {
    if (asked->oneway)
        return;
    byte_buffer out;
    protocol::append_success(out, asked->answer, as_bytes(body));
    asked->connection->send(out.release());
}

void group_admin::refuse(const job_ptr& asked, response_code code, std::string_view remark) {
    spdlog::debug("{} refused with code {}: {}", asked->connection->peer().text, static_cast<int>(code),
                  remark);
    if (asked->oneway)
        return;
    byte_buffer out;
    protocol::append_failure(out, asked->answer, code, remark);
    asked->connection->send(out.release());
}

} // namespace holdfast::actors
