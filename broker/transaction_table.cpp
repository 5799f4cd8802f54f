#include "broker/transaction_table.hpp"

#include "base/check.hpp"

#include <utility>

namespace holdfast::broker {

bool operator==(const half_message& one, const half_message& other) {
    return one.position == other.position && one.queue == other.queue && one.size == other.size &&
           one.tags == other.tags && one.stored == other.stored && one.immunity_ms == other.immunity_ms &&
           one.checks == other.checks && one.last_checked == other.last_checked && *one.group == *other.group;
}

const half_message& transaction_table::add(half_message half, std::string_view group) {
    auto found = groups_.find(group);
    if (found == groups_.end()) {
        auto name = std::make_shared<const std::string>(group);
        const std::string_view key{*name};
        found = groups_.emplace(key, group_use{std::move(name), 0}).first;
    }
    ++found->second.halves;
    half.group = found->second.name;
    return *halves_.insert(halves_.end(), std::move(half));
}

const half_message* transaction_table::find(log_position half) const {
    const auto found = halves_.find(half);
    return found == halves_.end() ? nullptr : &*found;
}

transaction_table::verdict transaction_table::judge(const decision& decided) const {
    const auto* const half = find(decided.half);
    if (half == nullptr)
        return {nullptr, decision_outcome::not_pending};
    if (half->number() != decided.number)
        return {nullptr, decision_outcome::other_number};
    if (group_checksum_of(*half->group) != decided.group_checksum)
        return {nullptr, decision_outcome::other_group};
    return {half, queue_offset{0}};
}

void transaction_table::checked(log_position half, timestamp_ms when) {
    const auto found = halves_.find(half);
    if (found == halves_.end())
        return;
    auto node = halves_.extract(found);
    ++node.value().checks;
    node.value().last_checked = when;
    halves_.insert(std::move(node));
}

void transaction_table::remove(log_position half) {
    const auto found = halves_.find(half);
    HOLDFAST_CHECK(found != halves_.end());
    const auto group = groups_.find(*found->group);
    if (--group->second.halves == 0)
        groups_.erase(group);
    halves_.erase(found);
}

std::optional<log_position> transaction_table::oldest() const {
    return halves_.empty() ? std::nullopt : std::optional{halves_.begin()->position};
}

} // namespace holdfast::broker
