#include "tests/simulation/cluster_checker.hpp"

#include "broker/command.hpp"
#include "broker/records.hpp"
#include "protocol/stored_message.hpp"

#include <algorithm>

namespace holdfast::simulation {
namespace {

std::string at(log_position position) {
    return " at position " + std::to_string(position.value());
}

std::string text_of(queue_key queue) {
    return "topic " + std::to_string(queue.topic.value()) + " queue " + std::to_string(queue.queue.value());
}

} // namespace

std::string cluster_checker::committed(const std::string& node, byte_view entry) {
    const auto header = storage::decode_entry(entry);
    if (!header.ok())
        return "damaged: " + node + " applied an entry that is none: " + header.failure().message;
    if (const auto known = entries_.find(header->position); known != entries_.end())
        return known->second == header->checksum
                   ? ""
                   : "differs: " + node + " applied another entry than others" + at(header->position);
    const auto last = entries_.empty() ? std::uint32_t{0} : entries_.rbegin()->second;
    if (!entries_.empty() && header->position < entries_.rbegin()->first)
        return "differs: " + node + " applied an entry where others have none" + at(header->position);
    if (header->previous_checksum != last)
        return "differs: " + node + " applied an entry that is not chained to the others'" +
               at(header->position);
    entries_[header->position] = header->checksum;
    return header->is_filler() ? "" : read(*header, entry);
}

std::string cluster_checker::read(const storage::entry_header& header, byte_view entry) {
    broker::command_cursor cursor{entry, storage::entry_header_size};
    while (!cursor.done()) {
        const auto command = cursor.next();
        if (!command.ok())
            return command.failure().message;
        switch (command->header.kind) {
        case broker::command_kind::message:
            if (auto problem = read_message(*command, header.position + command->payload_offset);
                !problem.empty())
                return problem;
            break;
        case broker::command_kind::topic_create: {
            const auto topic = broker::decode_topic_config(command->payload);
            if (!topic.ok())
                return topic.failure().message;
            if (std::find(topics_.begin(), topics_.end(), topic->name) == topics_.end())
                topics_.push_back(topic->name);
            break;
        }
        case broker::command_kind::offsets_commit: {
            const auto commits = broker::decode_offset_commits(command->payload);
            if (!commits.ok())
                return commits.failure().message;
            for (const auto& commit : *commits)
                offsets_[commit.queue] = commit.next;
            break;
        }
        default:
            break;
        }
    }
    return {};
}

std::string cluster_checker::read_message(const broker::command_view& command, log_position record) {
    const auto decoded = protocol::decode_stored_message(command.payload);
    if (!decoded.ok())
        return decoded.failure().message;
    promised_message message;
    message.name = load_big<std::uint64_t>(decoded->body.data());
    message.queue = {command.header.topic, command.header.queue};
    message.record = record;
    auto& length = lengths_[message.queue];
    message.offset = length;
    length = length + 1;
    if (!decoded->body_is_intact() || decoded->physical_offset != static_cast<std::int64_t>(record.value()))
        return "damaged: the record" + at(record) + " does not say so";
    if (!messages_.emplace(message.name, message).second)
        return "twice: message " + std::to_string(message.name) + at(record);
    return {};
}

std::string cluster_checker::leads(const std::string& node, term_number term) {
    const auto& leader = leaders_.try_emplace(term, node).first->second;
    return leader == node
               ? ""
               : "two leaders: " + leader + " and " + node + " in term " + std::to_string(term.value());
}

std::string cluster_checker::answered(const std::vector<drafted_message>& messages,
                                      const broker::applied_batch* batch) {
    for (std::size_t i = 0; i < messages.size(); ++i) {
        answered_[messages[i].name] = messages[i];
        if (batch == nullptr)
            continue;
        const auto found = messages_.find(messages[i].name);
        if (found == messages_.end())
            return "lost: message " + std::to_string(messages[i].name) +
                   " was answered and nobody has applied it";
        const promised_message promised{messages[i].name, messages[i].queue, batch->offsets.at(i),
                                        batch->position + messages[i].place};
        if (found->second != promised)
            return "moved: message " + std::to_string(promised.name) + " was answered as offset " +
                   std::to_string(promised.offset.value()) + at(promised.record) + " and is offset " +
                   std::to_string(found->second.offset.value()) + at(found->second.record);
    }
    return {};
}

std::string cluster_checker::topic_answered(const std::string& name) {
    return std::find(topics_.begin(), topics_.end(), name) != topics_.end()
               ? ""
               : "lost: topic " + name + " was answered and nobody has applied it";
}

std::string cluster_checker::commit_answered(queue_key queue, queue_offset next) {
    const auto found = offsets_.find(queue);
    return found != offsets_.end() && found->second >= next
               ? ""
               : "lost: the offset " + std::to_string(next.value()) + " of " + text_of(queue) +
                     " was answered and nobody has applied it";
}

std::string cluster_checker::find_all_answered() const {
    for (const auto& [name, message] : answered_)
        if (!messages_.contains(name))
            return "lost: message " + std::to_string(name) + " was answered and is in no log";
    return {};
}

std::string cluster_checker::compare(const std::string& node, const broker::state& state) const {
    for (std::size_t i = 0; i < topics_.size(); ++i) {
        const auto topic = state.find_topic(topics_[i]);
        if (!topic || topic->id != topic_id{static_cast<std::uint32_t>(i + 1)})
            return "state: " + node + " does not know the topic " + topics_[i];
    }
    if (state.topics().size() != topics_.size() || state.queue_lengths().size() != lengths_.size())
        return "state: " + node + " has topics or queues that are not in the log";
    for (const auto& [queue, length] : lengths_)
        if (state.next_offset(queue) != length)
            return "state: " + node + " says that " + text_of(queue) + " has " +
                   std::to_string(state.next_offset(queue).value()) + " messages, the log has " +
                   std::to_string(length.value());
    const auto group = state.offsets().find(durability_checker::group);
    const auto known = group == state.offsets().end() ? 0 : group->second.size();
    if (known != offsets_.size())
        return "state: " + node + " knows " + std::to_string(known) + " offsets of " +
               std::to_string(offsets_.size());
    for (const auto& [queue, next] : offsets_)
        if (const auto offset = group->second.find(queue);
            offset == group->second.end() || offset->second != next)
            return "state: " + node + " has another offset for " + text_of(queue);
    return {};
}

} // namespace holdfast::simulation
