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
                                      const broker::applied_batch* batch) {
    for (std::size_t i = 0; i < messages.size(); ++i) {
        answered_[messages[i].name] = messages[i];
        if (batch == nullptr)
            continue;
        const auto* const found = model_.find(messages[i].name);
        if (found == nullptr)
            return "lost: message " + std::to_string(messages[i].name) +
                   " was answered and nobody has applied it";
        const promised_message promised{messages[i].name, messages[i].queue, batch->offsets.at(i),
                                        batch->position + messages[i].place};
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
    return model_.has_committed(queue, next)
               ? ""
               : "lost: the offset " + std::to_string(next.value()) + " was answered and is not there";
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
