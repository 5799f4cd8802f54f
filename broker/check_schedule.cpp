#include "broker/check_schedule.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace holdfast::broker {
namespace {

// Halves of one group that are taken before the next group's turn.
constexpr std::size_t turn_of_group = 64;
// The slow round's part of what is taken at once: at least so many, and this fraction of all that wait.
constexpr std::size_t least_of_round = 32;
constexpr std::size_t fraction_of_round = 1'024;

} // namespace

timestamp_ms check_schedule::due(const half_message& half) const {
    return half.checks == 0 ? half.stored + first_check_age(half, rules_.timeout).count()
                            : half.last_checked + rules_.interval.count();
}

void check_schedule::add(const half_message& half) {
    add_timed(due(half), half.position);
}

void check_schedule::add_timed(timestamp_ms due, log_position half) {
    timed_.push_back({due, half});
    std::push_heap(timed_.begin(), timed_.end(), std::greater{});
}

std::vector<log_position> check_schedule::take_due(timestamp_ms now, std::size_t most) {
    std::vector<log_position> taken;
    take_joined((most + 1) / 2, taken);
    take_timed(now, most - taken.size(), taken);
    take_joined(most - taken.size(), taken);
    look_round(now, std::min(most - taken.size(), std::max(least_of_round, awaiting_ / fraction_of_round)),
               taken);
    return taken;
}

bool check_schedule::has_due(timestamp_ms now) const {
    return !joined_.empty() || (!timed_.empty() && timed_.front().due <= now);
}

void check_schedule::take_timed(timestamp_ms now, std::size_t most, std::vector<log_position>& taken) {
    for (; most > 0 && !timed_.empty() && timed_.front().due <= now; --most) {
        std::pop_heap(timed_.begin(), timed_.end(), std::greater{});
        taken.push_back(timed_.back().half);
        timed_.pop_back();
    }
}

void check_schedule::take_joined(std::size_t most, std::vector<log_position>& taken) {
    const auto enough = taken.size() + most;
    while (taken.size() < enough && !joined_.empty()) {
        auto name = std::move(joined_.front());
        joined_.pop_front();
        const auto group = waiting_.find(name);
        const bool more = group->second.to_visit > std::min(turn_of_group, enough - taken.size());
        group->second.joined = more;
        visit(group, std::min(turn_of_group, enough - taken.size()), taken);
        if (more)
            joined_.push_back(std::move(name));
    }
}

void check_schedule::look_round(timestamp_ms now, std::size_t most, std::vector<log_position>& taken) {
    const auto enough = taken.size() + most;
    for (auto groups = std::min(waiting_.size(), turn_of_group); groups > 0 && taken.size() < enough;
         --groups) {
        auto group = waiting_.upper_bound(round_at_);
        if (group == waiting_.end())
            group = waiting_.begin();
        round_at_ = group->first;
        auto& waiting = group->second;
        if (waiting.joined)
            continue;
        if (waiting.to_visit == 0 && waiting.next_round <= now) {
            waiting.to_visit = waiting.halves.size();
            waiting.next_round = now + rules_.interval.count();
        }
        visit(group, enough - taken.size(), taken);
        if (waiting_.empty())
            return;
    }
}

void check_schedule::visit(waiting_groups::iterator group, std::size_t most,
                           std::vector<log_position>& taken) {
    auto& waiting = group->second;
    for (auto count = std::min(waiting.to_visit, most); count > 0; --count) {
        taken.push_back(waiting.halves.front());
        waiting.halves.pop_front();
        --waiting.to_visit;
        --awaiting_;
    }
    if (waiting.halves.empty())
        waiting_.erase(group);
}

check_schedule::task check_schedule::judge(const half_message& half) const {
    return half.checks >= rules_.most_checks ? task::give_up : task::ask;
}

void check_schedule::rest(log_position half, timestamp_ms now) {
    add_timed(now + rules_.interval.count(), half);
}

void check_schedule::await(const half_message& half, timestamp_ms now) {
    auto [group, is_new] = waiting_.try_emplace(*half.group);
    if (is_new)
        group->second.next_round = now + rules_.interval.count();
    group->second.halves.push_back(half.position);
    ++awaiting_;
}

void check_schedule::joined(std::string_view name) {
    const auto group = waiting_.find(name);
    if (group == waiting_.end())
        return;
    group->second.to_visit = group->second.halves.size();
    if (!std::exchange(group->second.joined, true))
        joined_.emplace_back(name);
}

} // namespace holdfast::broker
