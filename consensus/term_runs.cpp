#include "consensus/term_runs.hpp"

#include "base/check.hpp"

#include <algorithm>

namespace holdfast::consensus {

void term_runs::note(log_position position, term_number term) {
    if (!runs_.empty() && runs_.back().term == term)
        return;
    HOLDFAST_CHECK(runs_.empty() || (runs_.back().term < term && runs_.back().first < position));
    runs_.push_back({position, term});
}

void term_runs::truncate(log_position end) {
    while (!runs_.empty() && runs_.back().first >= end)
        runs_.pop_back();
}

void term_runs::drop_before(log_position first) {
    const auto kept =
        std::find_if(runs_.begin(), runs_.end(), [&](const term_run& run) { return run.first > first; });
    if (kept != runs_.begin())
        runs_.erase(runs_.begin(), kept - 1); // the run around `first` stays
}

term_number term_runs::term_before(log_position position) const {
    const auto behind =
        std::lower_bound(runs_.begin(), runs_.end(), position,
                         [](const term_run& run, log_position wanted) { return run.first < wanted; });
    return behind == runs_.begin() ? term_number{0} : (behind - 1)->term;
}

term_number term_runs::term_at(log_position position) const {
    return term_before(position + 1);
}

std::vector<term_run> term_runs::beyond(log_position position, std::size_t most) const {
    auto from = std::upper_bound(runs_.begin(), runs_.end(), position,
                                 [](log_position wanted, const term_run& run) { return wanted < run.first; });
    if (from != runs_.begin())
        --from; // the run around `position`
    const auto count = std::min<std::size_t>(most, static_cast<std::size_t>(runs_.end() - from));
    return {from, from + static_cast<std::ptrdiff_t>(count)};
}

log_position agreement(const term_runs& ours, log_position our_end, const std::vector<term_run>& others,
                       log_position others_end, log_position floor) {
    const auto& runs = ours.all();
    for (auto other = others.rbegin(); other != others.rend(); ++other) {
        const auto same = std::find_if(runs.begin(), runs.end(),
                                       [&](const term_run& run) { return run.term == other->term; });
        if (same == runs.end())
            continue;
        const auto end_here = same + 1 == runs.end() ? our_end : (same + 1)->first;
        const auto end_there = other == others.rbegin() ? others_end : (other - 1)->first;
        return std::max(floor, std::min(end_here, end_there));
    }
    return floor;
}

} // namespace holdfast::consensus
