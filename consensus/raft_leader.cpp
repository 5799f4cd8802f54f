// What a leader does: sending (thesis 3.5), commitment 3.6.2, membership 4.1, transfer 3.10, read index 6.4.
#include "consensus/raft.hpp"

#include "base/check.hpp"
#include "consensus/defect.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace holdfast::consensus {
namespace {

// One request carries at most about so much; a single larger entry goes alone.
constexpr std::uint64_t request_bytes = 1U << 20U;

// To one that is far behind it goes in smaller pieces and with fewer on the way, so that the others' requests
// wait for no large one, and neither do their disks (they may share one).
constexpr std::uint64_t far_behind_bytes = 4U << 20U;
constexpr std::uint64_t catch_up_request_bytes = 128U << 10U;
constexpr std::uint64_t catch_up_window_bytes = 2U << 20U;

// The log grows so little: catching up is in nobody's way. Groups that consume commit their offsets all the
// time, and that is no load.
constexpr steady_ms growth_interval{100};
constexpr std::uint64_t quiet_bytes = 64U << 10U; // in one of them

} // namespace

log_position majority_position(std::vector<log_position> reached) {
    HOLDFAST_CHECK(!reached.empty());
    const auto majority =
        reached.size() / 2; // the place, from the front, that more than half stand at or before
    std::nth_element(reached.begin(), reached.begin() + static_cast<std::ptrdiff_t>(majority), reached.end(),
                     std::greater<>{});
    return reached[majority];
}

void raft::lead_from(log_position first_end) {
    HOLDFAST_CHECK(role_ == role::leader);
    own_term_from_ = first_end;
}

bool raft::flushed(log_position until) {
    flushed_ = std::max(flushed_, until);
    return role_ == role::leader && advance_commit();
}

bool raft::advance_commit() {
    std::vector<log_position> reached;
    reached.reserve(members_.size());
    for (const auto& one : members_) {
        if (one == settings_.self) {
            reached.push_back(flushed_);
            continue;
        }
        const auto found = progress_.find(one.name);
        const bool counts = found != progress_.end() && found->second.incarnation == one.incarnation;
        reached.push_back(counts ? found->second.matched : log_position{0});
    }
    const auto candidate =
        built_in == defect::answered_before_majority ? flushed_ : majority_position(std::move(reached));
    // An entry of an earlier term is committed only by a later one of this term (thesis 3.6.2, figure 3.7).
    if (candidate <= commit_ || candidate < own_term_from_)
        return false;
    commit_ = candidate;
    return true;
}

void raft::on(const append_answer& answer, const message& from, steady_ms now, actions& out) {
    if (role_ != role::leader || from.term != vote_.term)
        return;
    const auto found = progress_.find(from.from.name);
    if (found == progress_.end())
        return;
    auto& to = found->second;
    if (to.incarnation != from.from.incarnation) {
        to.incarnation = from.from.incarnation;
        to.matched = log_position{0};
        to.has_confirmed = false;
    }
    to.heard = now;
    earn_catch_up(0, now);
    to.has_confirmed = to.has_confirmed || answer.sequence >= to.standing_asked;
    if (answer.is_matched) {
        // A member that claims more than there is has another log: it is not counted.
        if (answer.flushed > end_)
            return;
        to.matched = std::max(to.matched, answer.flushed);
        if (to.is_probing && answer.sequence > to.rewound_at) {
            to.is_probing = false;
            to.next = std::max(to.next, to.matched);
        }
        advance_commit();
        give_lead(from.from.name, now, out);
    } else if (answer.sequence > to.rewound_at) {
        to.next = agreement(runs_, end_, answer.runs, answer.log_end, std::min(answer.commit, end_));
        to.rewound_at = to.sequence;
        to.is_probing = false; // the logs agree there, and nowhere beyond
        to.is_reading = false;
    }
    send_to(from.from.name, to, now, out);
}

void raft::ask_standing(steady_ms now, actions& out) {
    for (auto& [name, to] : progress_) {
        // No heartbeat: those do more than ask, and must not stay away because many ask.
        const auto sent = to.sent;
        send_request(name, to, now, out);
        to.sent = sent;
        to.standing_asked = to.sequence;
        to.has_confirmed = false;
    }
}

bool raft::standing_confirmed() const {
    if (role_ != role::leader)
        return false;
    const auto confirms = [this](const member& one) {
        const auto found = progress_.find(one.name);
        return one == settings_.self ||
               (found != progress_.end() && found->second.incarnation == one.incarnation &&
                found->second.has_confirmed);
    };
    return has_majority(static_cast<std::size_t>(std::count_if(members_.begin(), members_.end(), confirms)));
}

void raft::note_growth(std::uint64_t appended, steady_ms now) {
    grown_bytes_ += appended;
    if (grown_bytes_ >= quiet_bytes)
        is_quiet_ = false;
    if (now - growth_since_ < growth_interval)
        return;
    is_quiet_ = grown_bytes_ < quiet_bytes;
    grown_bytes_ = 0;
    growth_since_ = now;
}

// Catching up costs the others' sends their cores and disks, so it goes only as much faster than the log
// grows as the settings say; as fast as it can when the log is at rest. What was not used is not saved up,
// except for a moment: it would be a burst.
void raft::earn_catch_up(std::uint64_t appended, steady_ms now) {
    note_growth(appended, now);
    const auto passed = static_cast<std::uint64_t>((now - catch_up_earned_).count());
    catch_up_earned_ = now;
    const auto earned = static_cast<std::int64_t>(appended + passed * settings_.catch_up_bytes_per_s / 1'000);
    const auto most = static_cast<std::int64_t>(catch_up_window_bytes + appended);
    for (auto& [name, to] : progress_)
        to.catch_up_credit = is_quiet_ ? most : std::min(most, to.catch_up_credit + earned);
}

// What it lacks the others have: nobody's send waits for it.
bool raft::is_far_behind(const progress& to) const {
    return commit_ - std::min(to.next, commit_) > far_behind_bytes;
}

void raft::send_heartbeats(steady_ms now, actions& out) {
    earn_catch_up(0, now);
    for (auto& [name, to] : progress_) {
        if (now - to.sent >= settings_.heartbeat_interval) {
            to.is_reading = false; // it may have been lost on the way
            send_request(name, to, now, out);
        } else if (to.commit_told < commit_ && !to.is_probing && to.next >= sendable_) {
            // Nothing else is on its way that says it, and routes and look-ups there depend on it.
            send_request(name, to, now, out);
        }
        send_to(name, to, now, out);
    }
}

void raft::send_request(const std::string& name, progress& to, steady_ms now, actions& out) {
    to.sent = now;
    to.commit_told = commit_;
    out.messages.push_back(
        make(name, append_request{to.next, runs_.term_before(to.next), commit_, ++to.sequence, {}}));
}

void raft::replicate(log_position end, steady_ms now, actions& out) {
    if (role_ != role::leader)
        return;
    earn_catch_up(end - sendable_, now);
    sendable_ = end;
    for (auto& [name, to] : progress_)
        send_to(name, to, now, out);
}

void raft::send_to(const std::string& name, progress& to, steady_ms now, actions& out) {
    if (to.is_probing) {
        if (now - to.sent >= settings_.heartbeat_interval)
            send_request(name, to, now, out);
        return;
    }
    if (auto wanted = wants(name))
        out.wanted.push_back(std::move(*wanted));
}

std::optional<entries_wanted> raft::wants(const std::string& name) {
    const auto found = progress_.find(name);
    if (found == progress_.end())
        return std::nullopt;
    auto& to = found->second;
    if (to.is_probing || to.is_reading || to.next >= sendable_ || !peers_.contains(name))
        return std::nullopt;
    const bool is_far = is_far_behind(to);
    if (is_far && to.catch_up_credit <= 0)
        return std::nullopt;
    const auto left = window_left(to);
    if (left == 0 || !fits(to, to.next_bytes))
        return std::nullopt;
    to.is_reading = true;
    return entries_wanted{name, to.next, std::min(is_far ? catch_up_request_bytes : request_bytes, left)};
}

bool raft::go_on_at_matched(const std::string& name, log_position log_first) {
    const auto found = progress_.find(name);
    if (found == progress_.end() || found->second.matched < log_first)
        return false;
    found->second.next = found->second.matched;
    found->second.is_reading = false;
    return true;
}

std::uint64_t raft::window_left(const progress& to) const {
    const auto window =
        is_far_behind(to) ? std::min(settings_.window_bytes, catch_up_window_bytes) : settings_.window_bytes;
    return to.next > to.matched ? window - std::min(window, to.next - to.matched) : window;
}

// An entry that is larger than the window goes when nothing else is on its way: two of them on a slow link
// would hold up everything behind them for longer than a link may be silent.
bool raft::fits(const progress& to, std::uint64_t entry_bytes) const {
    return to.next <= to.matched || entry_bytes <= window_left(to);
}

std::optional<message> raft::request_for(const std::string& to, log_position first,
                                         std::vector<shared_bytes> entries, log_position last,
                                         steady_ms now) {
    const auto found = progress_.find(to);
    if (role_ != role::leader || found == progress_.end() || found->second.is_probing ||
        !found->second.is_reading || found->second.next != first)
        return std::nullopt;
    auto& follower = found->second;
    if (entries.empty())
        return std::nullopt; // stays "reading" until the next heartbeat: no busy loop over what can't be had
    follower.is_reading = false;
    if (!fits(follower, entries.front().size())) {
        follower.next_bytes = entries.front().size();
        return std::nullopt;
    }
    if (is_far_behind(follower))
        follower.catch_up_credit -= static_cast<std::int64_t>(last - first);
    follower.next_bytes = 0;
    follower.next = last;
    follower.sent = now;
    follower.commit_told = commit_;
    return make(to, append_request{first, runs_.term_before(first), commit_, ++follower.sequence,
                                   std::move(entries)});
}

// Asked again until another node leads: the word may get lost.
void raft::transfer(actions& out) {
    if (role_ != role::leader)
        return;
    const std::string* best = nullptr;
    log_position reached;
    for (const auto& [name, to] : progress_) {
        if (!is_member(name) || to.matched < commit_ || !peers_.contains(name) ||
            (best != nullptr && to.matched <= reached))
            continue;
        best = &name;
        reached = to.matched;
    }
    if (best == nullptr)
        return;
    out.messages.push_back(make(*best, timeout_now{}));
}

void raft::retire(actions& out) {
    if (is_retired_)
        return;
    transfer(out);
    is_retired_ = true;
    if (role_ == role::leader)
        out.was_deposed = true;
    role_ = role::follower;
    leader_.clear();
    progress_.clear();
}

void raft::set_members(std::vector<member> members) {
    members_ = std::move(members);
}

std::optional<std::vector<member>> raft::next_members(log_position members_end, std::uint64_t lag_bytes,
                                                      steady_ms now) const {
    if (!commits_own_term() || members_end > commit_)
        return std::nullopt;
    for (const auto& [name, to] : progress_) {
        // What was said last may be late news of the one that had this name before.
        const auto connected = peers_.find(name);
        const bool is_here = connected != peers_.end() && connected->second.incarnation == to.incarnation &&
                             !to.is_probing && now - to.heard <= settings_.election_timeout;
        if (!is_here || end_ - std::min(to.matched, end_) > lag_bytes || to.matched < own_term_from_ ||
            is_member(name))
            continue;
        auto next = members_;
        if (const auto* const known = find_member(name))
            std::erase(next, *known);
        else
            next.push_back({name, to.incarnation});
        std::sort(next.begin(), next.end());
        return next;
    }
    return std::nullopt;
}

} // namespace holdfast::consensus
