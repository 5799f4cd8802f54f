#include "broker/transaction_table.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace holdfast::broker {
namespace {

constexpr std::size_t chunk_halves = 64;

} // namespace

bool operator==(const half_message& one, const half_message& other) {
    return one.position == other.position && one.queue == other.queue && one.size == other.size &&
           one.tags == other.tags && one.stored == other.stored && one.immunity_ms == other.immunity_ms &&
           one.checks == other.checks && one.last_checked == other.last_checked &&
           one.topic_bytes == other.topic_bytes && *one.group == *other.group;
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
    if (chunks_.empty() || std::prev(chunks_.end())->second.size() >= chunk_halves)
        chunks_.emplace_hint(chunks_.end(), half.position, chunk{})->second.reserve(chunk_halves);
    auto& last = std::prev(chunks_.end())->second;
    HOLDFAST_CHECK(last.empty() || last.back().position < half.position);
    last.push_back(std::move(half));
    ++size_;
    return last.back();
}

transaction_table::chunk::const_iterator transaction_table::at_or_behind(const chunk& halves,
                                                                         log_position first) {
    return std::lower_bound(
        halves.begin(), halves.end(), first,
        [](const half_message& half, log_position position) { return half.position < position; });
}

transaction_table::chunk_map::const_iterator transaction_table::chunk_of(log_position position) const {
    const auto behind = chunks_.upper_bound(position);
    return behind == chunks_.begin() ? behind : std::prev(behind);
}

half_message* transaction_table::slot(log_position half) {
    return const_cast<half_message*>(find(half)); // NOLINT: of this table, which is not const here
}

const half_message* transaction_table::find(log_position half) const {
    const auto at = chunk_of(half);
    if (at == chunks_.end())
        return nullptr;
    const auto found = at_or_behind(at->second, half);
    return found != at->second.end() && found->position == half ? &*found : nullptr;
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
    if (auto* const found = slot(half)) {
        ++found->checks;
        found->last_checked = when;
    }
}

void transaction_table::remove(log_position half) {
    const auto at = chunks_.upper_bound(half);
    HOLDFAST_CHECK(at != chunks_.begin());
    const auto held = std::prev(at);
    auto& halves = held->second;
    const auto found = at_or_behind(halves, half);
    HOLDFAST_CHECK(found != halves.end() && found->position == half);
    const auto group = groups_.find(*found->group);
    if (--group->second.halves == 0)
        groups_.erase(group);
    halves.erase(found);
    --size_;
    if (halves.empty()) {
        chunks_.erase(held);
        return;
    }
    if (at != chunks_.end())
        join(held, at);
    if (held != chunks_.begin())
        join(std::prev(held), held);
}

void transaction_table::join(chunk_map::iterator first, chunk_map::iterator second) {
    auto& kept = first->second;
    auto& taken = second->second;
    if (kept.size() + taken.size() > chunk_halves / 2)
        return;
    kept.insert(kept.end(), std::make_move_iterator(taken.begin()), std::make_move_iterator(taken.end()));
    chunks_.erase(second);
}

std::optional<log_position> transaction_table::oldest() const {
    return chunks_.empty() ? std::nullopt : std::optional{chunks_.begin()->second.front().position};
}

} // namespace holdfast::broker
