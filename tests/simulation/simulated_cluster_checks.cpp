// What the simulation asks of a whole cluster.
#include "tests/simulation/simulated_cluster.hpp"

#include <algorithm>
#include <sstream>

namespace holdfast::simulation {
namespace {

// What the checker does not work out itself, but must be the same everywhere. A node that was fed from where
// the log begins knows no better when that stretch's term began.
std::string words_of(const broker::state& state) {
    std::ostringstream out;
    const auto first = state.first_position();
    out << "first " << first << ", next topic " << state.next_topic_id() << ", delays up to "
        << state.delay().cursor.due << '/' << state.delay().cursor.position << ", members";
    for (const auto& member : state.members())
        out << ' ' << member.name << ':' << member.incarnation;
    out << ", terms";
    for (const auto& run : state.runs().all())
        out << ' ' << run.term << " from " << std::max(run.first, first);
    for (const auto& [block, use] : state.ledger().blocks())
        if (use.pending > 0)
            out << ", " << use.pending << " wait in " << block;
    auto queues = state.queue_lengths();
    std::sort(queues.begin(), queues.end());
    for (const auto& [queue, next] : queues)
        if (next > queue_offset{0})
            out << ", " << queue.topic << '/' << queue.queue << " [" << state.first_offset(queue) << ", "
                << next << ')';
    return out.str();
}

} // namespace

std::optional<std::size_t> simulated_cluster::leader() const {
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < size(); ++i)
        if (node(i) != nullptr && node(i)->replica().ready() &&
            (!best || node(i)->replica().term() > node(*best)->replica().term()))
            best = i;
    return best;
}

bool simulated_cluster::has_all_applied() const {
    const auto first = leader();
    if (!first)
        return false;
    const auto end = node(*first)->replica().appended();
    return std::all_of(hosts_.begin(), hosts_.end(), [&](const host& one) {
        return one.node && one.node->replica().applied() == end && one.node->replica().flushed() == end &&
               !one.node->replica().is_seeding() && !one.is_rotten;
    });
}

bool simulated_cluster::has_all_members() const {
    std::vector<consensus::member> members;
    for (const auto& one : hosts_)
        if (one.node)
            members.push_back(one.node->self());
    return members.size() == size() && std::all_of(hosts_.begin(), hosts_.end(), [&](const host& one) {
               return one.node->replica().current().members() == members &&
                      one.node->replica().raft().members() == members;
           });
}

bool simulated_cluster::may_lose_disk_of(std::size_t which) const {
    return has_all_members() && std::all_of(hosts_.begin(), hosts_.end(), [&](const host& one) {
               return one.node->replica().committed() >= trimmed_ &&
                      (!one.is_rotten || &one == &hosts_[which]);
           });
}

void simulated_cluster::note(std::size_t which, const simulated_node::outcomes& outcomes) {
    digest_.add(which);
    const auto& replica = hosts_[which].node->replica();
    for (const auto position :
         {replica.appended(), replica.flushed(), replica.committed(), replica.applied()})
        digest_.add(position.value());
    digest_.add(replica.term().value());
    for (const auto& message : outcomes.messages)
        digest_.add(consensus::encode_head(message));
    for (const auto& entry : outcomes.entries)
        digest_.add(entry.view());
    for (const auto& batch : outcomes.applied) {
        digest_.add(batch.ticket.value());
        for (const auto offset : batch.offsets)
            digest_.add(static_cast<std::uint64_t>(offset.value()));
    }
    for (const auto& batch : outcomes.rejected)
        digest_.add(batch.ticket.value());
    for (const auto& told : outcomes.standings)
        digest_.add(told.ticket.value() * 2 + (told.is_leading ? 1 : 0));
    for (const auto& wanted : outcomes.reads)
        digest_.add(wanted.first.value());
    for (const auto until : outcomes.flushes)
        digest_.add(until.value());
    for (const bool happened : {outcomes.truncates, outcomes.fenced, outcomes.deposed, outcomes.is_seeded,
                                outcomes.begin_at.has_value()})
        digest_.add(happened ? 1 : 0);
}

std::string simulated_cluster::check_log(std::size_t which) {
    auto& one = hosts_[which];
    const auto& segments = one.node->log().segments();
    storage::log_scanner scanner{segments, segments.first(), one.node->replica().applied()};
    for (;;) {
        const auto next = scanner.next();
        if (!next.ok() && (one.is_rotten || (one.reads_fail && next.failure().code == errc::io_failed)))
            return {};
        if (!next.ok())
            return "unreadable: " + one.name + ": " + next.failure().message;
        if (!next->has_value())
            return {};
        if (auto problem = checker_.committed(one.name, (*next)->bytes); !problem.empty())
            return problem;
    }
}

void simulated_cluster::check_everything() {
    report(checker_.find_all_answered());
    for (std::size_t i = 0; i < size() && problem_.empty(); ++i) {
        report(check_log(i));
        report(checker_.compare(hosts_[i].name, *node(i)));
        if (words_of(node(i)->replica().current()) != words_of(node(0)->replica().current()))
            report("state: " + hosts_[i].name + " has\n" + words_of(node(i)->replica().current()) +
                   "\nwhere " + hosts_[0].name + " has\n" + words_of(node(0)->replica().current()));
    }
}

std::string simulated_cluster::describe() const {
    std::ostringstream out;
    for (const auto& one : hosts_) {
        out << "\n  " << one.name << (one.is_rotten ? ", rotten," : "");
        if (!one.node) {
            out << (one.mender ? " mends its log" : " is off");
            continue;
        }
        const auto& replica = one.node->replica();
        out << " (" << to_string(replica.raft().current_role()) << ", term " << replica.term()
            << ") appended " << replica.appended() << ", flushed " << replica.flushed() << ", committed "
            << replica.committed() << ", applied " << replica.applied() << ", leader "
            << replica.raft().leader() << ", members";
        for (const auto& member : replica.raft().members())
            out << ' ' << member.name << ':' << member.incarnation.substr(0, 4);
        out << ", is " << one.node->self().incarnation.substr(0, 4) << ", connected";
        for (const auto& [other, known] : one.connections)
            out << ' ' << hosts_[other].name;
        for (const auto& [name, to] : replica.raft().followers())
            out << "\n    " << name << ':' << to.incarnation.substr(0, 4) << " matched " << to.matched
                << " next " << to.next << (to.is_probing ? " probing" : "")
                << (to.is_reading ? " reading" : "");
    }
    return out.str();
}

} // namespace holdfast::simulation
