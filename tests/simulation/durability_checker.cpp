#include "tests/simulation/durability_checker.hpp"

#include "broker/command.hpp"
#include "protocol/stored_message.hpp"

namespace holdfast::simulation {
namespace {

std::string text_of(const promised_message& message) {
    return "message " + std::to_string(message.name) + " in topic " +
           std::to_string(message.queue.topic.value()) + " queue " +
           std::to_string(message.queue.queue.value()) + " at offset " +
           std::to_string(message.offset.value()) + ", position " + std::to_string(message.record.value());
}

protocol::stored_message message_with(byte_view body) {
    protocol::stored_message message;
    message.body = body;
    message.topic = "t";
    return message;
}

} // namespace

std::size_t record_size(std::size_t size) {
    const std::vector<std::byte> body(sizeof(std::uint64_t) + size);
    return message_with(body).size();
}

void write_record(std::span<std::byte> to, std::uint64_t name, queue_key queue, std::size_t size) {
    std::vector<std::byte> body(sizeof name + size, static_cast<std::byte>(name));
    store_big(body.data(), name);
    auto message = message_with(body);
    message.queue = queue.queue;
    protocol::write_stored_message(to.data(), message);
}

void durability_checker::answered(const std::vector<drafted_message>& messages,
                                  const broker::applied_batch& batch) {
    HOLDFAST_CHECK(messages.size() == batch.offsets.size());
    for (std::size_t i = 0; i < messages.size(); ++i)
        messages_[messages[i].name] = {messages[i].name, messages[i].queue, batch.offsets[i],
                                       batch.position + messages[i].place};
}

void durability_checker::topic_answered(std::uint32_t number, log_position entry) {
    topics_.try_emplace(number, entry);
}

void durability_checker::commit_tried(queue_key queue, queue_offset next) {
    commits_[queue].tried = std::max(commits_[queue].tried, next);
}

void durability_checker::commit_answered(queue_key queue, queue_offset next, log_position entry) {
    commits_[queue].answered[entry] = next;
}

void durability_checker::power_cut(log_position durable) {
    std::erase_if(messages_, [&](const auto& message) { return message.second.record >= durable; });
    std::erase_if(topics_, [&](const auto& topic) { return topic.second >= durable; });
    for (auto& [queue, commit] : commits_)
        commit.answered.erase(commit.answered.lower_bound(durable), commit.answered.end());
}

result<void> durability_checker::read(const storage::scanned_entry& entry) {
    broker::command_cursor cursor{entry.bytes, storage::entry_header_size};
    while (!cursor.done()) {
        const auto command = cursor.next();
        if (!command.ok())
            return command.failure();
        if (command->header.kind != broker::command_kind::message)
            continue;
        const auto record = protocol::decode_stored_message(command->payload);
        if (!record.ok())
            return record.failure();
        promised_message message;
        message.name = load_big<std::uint64_t>(record->body.data());
        message.queue = {command->header.topic, command->header.queue};
        auto& length = lengths_[message.queue];
        message.offset = length;
        length = length + 1;
        message.record = entry.header.position + command->payload_offset;
        if (!record->body_is_intact() ||
            record->physical_offset != static_cast<std::int64_t>(message.record.value()))
            return error{errc::corrupted, text_of(message) + ": the record does not say so"};
        if (!found_.emplace(message.name, message).second)
            return error{errc::corrupted, text_of(message) + ": it is there twice"};
    }
    return {};
}

std::string durability_checker::check(simulated_node& node) {
    found_.clear();
    lengths_.clear();
    const auto& recovered = node.log().recovered();
    const auto scanned =
        storage::for_each_entry(node.log().segments(), log_position{0}, recovered.end,
                                [this](const storage::scanned_entry& entry) { return read(entry); });
    if (!scanned.ok())
        return "the log can't be read: " + scanned.failure().message;
    auto problem = compare(node);
    messages_ = std::move(found_);
    return problem;
}

std::string durability_checker::compare(simulated_node& node) {
    for (const auto& [name, message] : messages_) {
        const auto found = found_.find(name);
        if (found == found_.end())
            return "lost: " + text_of(message);
        if (found->second != message)
            return "moved: " + text_of(message) + " to " + text_of(found->second);
        if (const auto entry = node.log().reader().entry_containing(message.record); !entry.ok())
            return "not readable: " + text_of(message) + ": " + entry.failure().message;
    }
    const auto& state = node.replica().current();
    for (const auto& [queue, length] : lengths_)
        if (state.next_offset(queue) != length)
            return "topic " + std::to_string(queue.topic.value()) + " queue " +
                   std::to_string(queue.queue.value()) + " has " + std::to_string(length.value()) +
                   " messages in the log, the state says " + std::to_string(state.next_offset(queue).value());
    for (const auto& [topic, entry] : topics_)
        if (!state.find_topic(std::to_string(topic)) ||
            state.find_topic(std::to_string(topic))->id != topic_id{topic + 1})
            return "the topic " + std::to_string(topic) + " was answered and is lost";
    for (const auto& [queue, commit] : commits_) {
        queue_offset next{-1};
        if (const auto offsets = state.offsets().find(group); offsets != state.offsets().end())
            if (const auto offset = offsets->second.find(queue); offset != offsets->second.end())
                next = offset->second;
        const auto answered = commit.answered.empty() ? queue_offset{-1} : commit.answered.rbegin()->second;
        if (next < answered || next > commit.tried)
            return "the group's offset " + std::to_string(answered.value()) + " became " +
                   std::to_string(next.value());
    }
    return {};
}

} // namespace holdfast::simulation
