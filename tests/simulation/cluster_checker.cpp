#include "tests/simulation/cluster_checker.hpp"

#include <algorithm>

namespace holdfast::simulation {
namespace {

std::string at(log_position position) {
    return " at position " + std::to_string(position.value());
}

std::string said_of(const std::string& node, std::string problem) {
    return problem.empty() ? "" : "state: " + node + " " + problem;
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
    return header->is_filler() ? "" : model_.read(*header, entry);
}

std::string cluster_checker::shows(const std::string& node, const broker::queue_run& run) const {
    auto problem = model_.compare(run);
    return problem.empty() ? "" : problem + ", on " + node;
}

std::string cluster_checker::leads(const std::string& node, term_number term) {
    const auto& leader = leaders_.try_emplace(term, node).first->second;
    return leader == node
               ? ""
               : "two leaders: " + leader + " and " + node + " in term " + std::to_string(term.value());
}

std::string cluster_checker::answered(const broker::applied_batch& batch) const {
    return model_.outcomes(batch.position) == batch.offsets
               ? ""
               : "moved: the entry" + at(batch.position) + " was answered with other places than it has";
}

std::string cluster_checker::answered(const std::vector<drafted_message>& messages,
                                      const broker::applied_batch& batch) {
    for (std::size_t i = 0; i < messages.size(); ++i) {
        answered_[messages[i].name] = messages[i];
        const auto* const found = model_.find(messages[i].name);
        if (found == nullptr)
            return "lost: message " + std::to_string(messages[i].name) +
                   " was answered and nobody has applied it";
        const promised_message promised{messages[i].name, messages[i].queue, batch.offsets.at(i),
                                        batch.position + messages[i].place};
        if (*found != promised)
            return "moved: message " + std::to_string(promised.name) + " was answered as offset " +
                   std::to_string(promised.offset.value()) + at(promised.record) + " and is offset " +
                   std::to_string(found->offset.value()) + at(found->record);
    }
    return {};
}

std::string cluster_checker::topic_answered(const std::string& name) {
    return std::find(model_.topics().begin(), model_.topics().end(), name) != model_.topics().end()
               ? ""
               : "lost: topic " + name + " was answered and nobody has applied it";
}

std::string cluster_checker::commit_answered(queue_key queue, queue_offset next) {
    auto& known = offsets_known_[queue];
    known = std::max(known, next);
    return model_.has_committed(queue, next)
               ? ""
               : "lost: the offset " + std::to_string(next.value()) + " was answered and is not there";
}

std::optional<queue_offset> cluster_checker::least_offset(queue_key queue) const {
    const auto known = offsets_known_.find(queue);
    return known == offsets_known_.end() ? std::nullopt : std::optional{known->second};
}

queue_offset cluster_checker::least_end(queue_key queue) const {
    const auto known = ends_known_.find(queue);
    return known == ends_known_.end() ? queue_offset{0} : known->second;
}

std::string cluster_checker::offset_told(queue_key queue, std::optional<queue_offset> least,
                                         std::optional<queue_offset> told) {
    if (!told)
        return least ? "stale: nothing stored, where the offset " + std::to_string(least->value()) +
                           " was known before the question"
                     : "";
    if (least && *told < *least)
        return "stale: the offset " + std::to_string(told->value()) + " was told, where " +
               std::to_string(least->value()) + " was known before the question";
    if (!model_.has_committed(queue, *told))
        return "invented: the offset " + std::to_string(told->value()) + " was told and nobody stored it";
    auto& known = offsets_known_[queue];
    known = std::max(known, *told);
    return {};
}

void cluster_checker::message_known(queue_key queue, queue_offset offset) {
    auto& end = ends_known_[queue];
    end = std::max(end, offset + 1);
}

std::string cluster_checker::end_told(queue_key queue, queue_offset least, queue_offset told) {
    if (told < least)
        return "stale: a queue's end was told as " + std::to_string(told.value()) + ", where " +
               std::to_string(least.value()) + " was known before the question";
    if (told > queue_offset{0})
        message_known(queue, told - 1);
    return {};
}

std::string cluster_checker::decision_answered(log_position half, queue_offset outcome) {
    if (outcome < queue_offset{0} && outcome != broker::decision_outcome::rolled_back)
        return {};
    return decided_.emplace(half, outcome).second
               ? ""
               : "decided: two decisions about the half" + at(half) + " were answered as the one that counts";
}

std::string cluster_checker::find_all_answered() const {
    for (const auto& [name, message] : answered_)
        if (model_.find(name) == nullptr)
            return "lost: message " + std::to_string(name) + " was answered and is in no log";
    return {};
}

std::string cluster_checker::compare(const std::string& node, const simulated_node& has) const {
    const auto& state = has.replica().current();
    if (auto problem = model_.compare(state); !problem.empty())
        return said_of(node, std::move(problem));
    return said_of(node, model_.compare(has.view(), state.first_position()));
}

} // namespace holdfast::simulation
