// Elections: thesis 3.4 and 3.6, pre-vote 9.6, leases 4.2.3, transfer 3.10.
#include "consensus/raft.hpp"

#include "base/check.hpp"
#include "consensus/defect.hpp"

#include <algorithm>
#include <utility>

namespace holdfast::consensus {

void raft::ask_for_votes(bool is_pre_vote, bool is_transfer, steady_ms now, actions& out) {
    follow(now, out);
    role_ = role::candidate;
    is_pre_voting_ = is_pre_vote;
    if (!is_pre_vote) {
        vote_ = {vote_.term + 1, settings_.self.name};
        out.persist = vote_;
    }
    votes_ = {settings_.self.name};
    for (const auto& one : members_) {
        if (one == settings_.self)
            continue;
        vote_request asked{is_pre_vote, is_transfer, end_, runs_.last(), one.incarnation};
        auto request = make(one.name, asked);
        if (is_pre_vote)
            ++request.term;
        out.messages.push_back(std::move(request));
    }
    count_votes(now, out);
}

// Thesis 3.4 and 3.6.1. The vote is on disk before the answer leaves: `persist` comes first.
void raft::on(const vote_request& asked, const message& from, steady_ms now, actions& out) {
    const bool is_up_to_date =
        asked.last_term > runs_.last() || (asked.last_term == runs_.last() && asked.log_end >= end_);
    const bool is_me = asked.voter_incarnation == settings_.self.incarnation;
    bool grants = is_me && is_up_to_date && (asked.is_transfer || !has_heard_leader(now));
    if (asked.is_pre_vote)
        grants = grants && from.term > vote_.term;
    else
        grants = grants && from.term == vote_.term && (vote_.vote.empty() || vote_.vote == from.from.name);
    if (grants && !asked.is_pre_vote) {
        if (vote_.vote.empty()) {
            vote_.vote = from.from.name;
            out.persist = built_in == defect::vote_not_flushed ? std::nullopt : std::optional{vote_};
        }
        restart_election_timer(now, settings_.election_timeout);
    }
    auto answer = make(from.from.name, vote_answer{asked.is_pre_vote, grants});
    if (grants)
        answer.term = from.term;
    out.messages.push_back(std::move(answer));
}

void raft::on(const vote_answer& answer, const message& from, steady_ms now, actions& out) {
    if (role_ != role::candidate || answer.is_pre_vote != is_pre_voting_ || !answer.is_granted ||
        from.term != vote_.term + (is_pre_voting_ ? 1U : 0U))
        return;
    const auto* const voter = find_member(from.from.name);
    if (voter == nullptr || *voter != from.from)
        return;
    votes_.insert(from.from.name);
    count_votes(now, out);
}

void raft::count_votes(steady_ms now, actions& out) {
    if (role_ != role::candidate || !has_majority(votes_.size()))
        return;
    if (is_pre_voting_)
        ask_for_votes(false, false, now, out);
    else
        win(now, out);
}

void raft::win(steady_ms now, actions& out) {
    role_ = role::leader;
    leader_ = settings_.self.name;
    own_term_from_ = never;
    progress_.clear();
    for (const auto& name : settings_.peers) {
        progress follower;
        follower.next = end_;
        follower.heard = now;
        follower.sent = now - settings_.heartbeat_interval;
        if (const auto* const known = find_member(name))
            follower.incarnation = known->incarnation;
        progress_.emplace(name, follower);
    }
    sendable_ = end_;
    catch_up_earned_ = growth_since_ = now;
    grown_bytes_ = 0;
    is_quiet_ = false;
    giving_to_.clear();
    out.has_won = true;
}

void raft::on(const timeout_now&, const message& from, steady_ms now, actions& out) {
    if (from.term == vote_.term && role_ == role::follower && is_member() && settings_.may_lead)
        ask_for_votes(false, true, now, out);
}

// A group is formed once: when all its nodes say that they have never had anything. So a node that lost its
// disk can't form a new group with others that did, while one of them still has the data.
void raft::form_group(steady_ms now) {
    if (end_ != log_position{0} || !runs_.all().empty() || peers_.size() != settings_.peers.size())
        return;
    std::vector<member> all{settings_.self};
    for (const auto& [name, one] : peers_) {
        if (!one.has_empty_log)
            return;
        all.push_back({name, one.incarnation});
    }
    std::sort(all.begin(), all.end());
    if (all == members_)
        return;
    members_ = std::move(all);
    restart_election_timer(now, steady_ms{0});
}

void raft::transfer_to(const std::string& name, steady_ms now, actions& out) {
    if (role_ != role::leader)
        return;
    giving_to_ = name;
    giving_until_ = now + settings_.election_timeout;
    give_lead(name, now, out);
}

// This one goes on appending: if the other had less of the log now, its election would only be a disturbance.
void raft::give_lead(const std::string& name, steady_ms now, actions& out) {
    if (name != giving_to_ || now >= giving_until_ || !is_member(name) || !peers_.contains(name) ||
        progress_.at(name).matched < end_)
        return;
    giving_to_.clear();
    out.messages.push_back(make(name, timeout_now{}));
}

void raft::peer_found(const member& who, bool has_empty_log, steady_ms now) {
    if (std::find(settings_.peers.begin(), settings_.peers.end(), who.name) == settings_.peers.end())
        return;
    peers_[who.name] = {who.incarnation, has_empty_log};
    form_group(now);
    const auto follower = progress_.find(who.name);
    if (follower == progress_.end())
        return;
    auto& to = follower->second;
    to.is_probing = true; // what was on its way may be lost
    to.is_reading = false;
    to.rewound_at = to.sequence;
    to.sent = now - settings_.heartbeat_interval;
    if (to.incarnation != who.incarnation) {
        to.incarnation = who.incarnation;
        to.matched = log_position{0};
        to.has_confirmed = false;
    }
    to.next = end_;
}

void raft::peer_lost(const std::string& name, steady_ms now) {
    peers_.erase(name);
    if (name != leader_ || role_ == role::leader)
        return;
    // Its lease is over with its process, as far as can be seen from here; the pre-vote asks the others.
    leader_heard_ = now - settings_.election_timeout;
    election_due_ =
        now + steady_ms{static_cast<std::int64_t>(
                  random() % static_cast<std::uint64_t>(settings_.heartbeat_interval.count() + 1))};
}

} // namespace holdfast::consensus
