// What the simulation asks of a whole cluster.
#include "tests/simulation/simulated_cluster.hpp"

#include <algorithm>
#include <sstream>

namespace holdfast::simulation {

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
        return one.node && one.node->replica().applied() == end && one.node->replica().flushed() == end;
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

std::string simulated_cluster::check_log(std::size_t which) {
    auto& one = hosts_[which];
    storage::log_scanner scanner{one.node->log().segments(), log_position{0}, one.node->replica().applied()};
    for (;;) {
        const auto next = scanner.next();
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
        report(checker_.compare(hosts_[i].name, node(i)->replica().current()));
        if (node(i)->replica().current().runs() != node(0)->replica().current().runs())
            report("state: " + hosts_[i].name + " has other term runs than " + hosts_[0].name);
    }
}

std::string simulated_cluster::describe() const {
    std::ostringstream out;
    for (const auto& one : hosts_) {
        out << "\n  " << one.name;
        if (!one.node) {
            out << " is off";
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
