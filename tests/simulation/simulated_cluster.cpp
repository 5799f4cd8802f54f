#include "tests/simulation/simulated_cluster.hpp"

#include <algorithm>

namespace holdfast::simulation {
namespace {

constexpr virtual_ms tick_interval{33};
constexpr virtual_ms connect_interval{40};

} // namespace

simulated_cluster::simulated_cluster(const cluster_settings& settings, cluster_marks& marks)
    : settings_(settings),
      marks_(marks),
      random_(settings.seed),
      network_(settings.nodes, settings.seed + 1, marks.network),
      hosts_(settings.nodes) {
    const auto segment_size = (1 + pick(4)) * 16384;
    const std::uint64_t window_bytes = pick(2) == 0 ? 16U << 20U : 1 + pick(3'000);
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
        auto& one = hosts_[i];
        one.name = std::string(1, static_cast<char>('a' + i));
        one.clock_rate = 0.95 + static_cast<double>(pick(100)) / 1000;
        one.clock_start = static_cast<std::int64_t>(pick(1'000'000));
        one.settings.name = one.name;
        one.settings.segment_size = segment_size;
        one.settings.window_bytes = window_bytes;
        one.settings.writes = pick(2) == 0 ? storage::write_mode::buffered : storage::write_mode::direct;
        one.settings.sync = settings.sync;
        new_disk(one);
    }
    for (auto& one : hosts_)
        for (const auto& other : hosts_)
            if (one.name != other.name)
                one.settings.peers.push_back(other.name);
    for (std::size_t i = 0; i < hosts_.size(); ++i)
        after(pick_ms(0, 300), [this, i] { start(i); });
    after(connect_interval, [this] { connect(); });
}

// --- time
// ---------------------------------------------------------------------------------------------------

void simulated_cluster::after(virtual_ms delay, action what) {
    actions_.push({now_ + delay, next_number_++, std::move(what)});
}

void simulated_cluster::run_until(virtual_ms end) {
    while (problem_.empty() && !actions_.empty() && actions_.top().at <= end) {
        const auto next = actions_.top();
        actions_.pop();
        now_ = next.at;
        digest_.add(static_cast<std::uint64_t>(now_.count()));
        digest_.add(next.number);
        next.what();
    }
    now_ = std::max(now_, end);
}

void simulated_cluster::report(std::string problem) {
    if (problem_.empty() && !problem.empty())
        problem_ = "at " + std::to_string(now_.count()) + " ms: " + std::move(problem);
}

consensus::steady_ms simulated_cluster::clock_of(const host& one) const {
    return consensus::steady_ms{
        one.clock_start + static_cast<std::int64_t>(static_cast<double>(now_.count()) * one.clock_rate)};
}

std::chrono::microseconds simulated_cluster::wall_time(const host& one) const {
    return std::chrono::milliseconds{1'700'000'000'000} + clock_of(one) -
           std::chrono::milliseconds{one.clock_start} + one.wall_ahead;
}

timestamp_ms simulated_cluster::log_time(std::size_t which) {
    auto& one = hosts_[which];
    return one.log_clock->now(wall_time(one), clock_of(one));
}

void simulated_cluster::jump_clock(std::size_t which, std::chrono::milliseconds by) {
    hosts_[which].wall_ahead += by;
    ++marks_.clock_jumps;
}

// --- processes
// ----------------------------------------------------------------------------------------------

void simulated_cluster::start(std::size_t which) {
    auto& one = hosts_[which];
    if (one.node || one.mender || !problem_.empty())
        return;
    one.settings.seed = random_();
    if (one.begins_at)
        return start_anew(which, *one.begins_at);
    age_store(one);
    auto started = simulated_node::start(*one.disk, one.settings, one.derived, clock_of(one));
    if (!one.disk->has_power() || (!started.ok() && started.failure().code == errc::io_failed)) {
        if (started.ok())
            (*started).reset();
        one.disk->crash();
        return after(pick_ms(50, 500), [this, which] { start(which); });
    }
    if (!started.ok() && one.is_full && started.failure().code == errc::unavailable) {
        ++marks_.starts_too_full;
        return after(pick_ms(50, 500), [this, which] { start(which); });
    }
    if (!started.ok() && one.is_rotten && started.failure().code == errc::corrupted)
        return mend(which);
    if (!started.ok())
        return report("refused: " + one.name + " does not start: " + started.failure().message);
    one.node = *std::move(started);
    one.mender = std::make_unique<simulated_mender>(one.node->log(), one.settings.peers, sending_of(which));
    if (one.flushed_before && one.node->replica().appended() < *std::exchange(one.flushed_before, {}))
        return report("cut: " + one.name + " has less of its log than before it rotted");
    ++one.life;
    one.is_ending = one.has_led = one.was_ready = false;
    one.room_until.reset();
    one.paused_until = now_;
    one.term = one.node->replica().term();
    one.log_clock.emplace(wall_time(one), clock_of(one), one.node->replica().applied_time());
    report(check_log(which));
    settle(which);
    tick(which, one.life);
    look_for_rot(which, one.life);
}

// The derived store has no log of its own: what a power cut leaves of it may be older than the last
// checkpoint, and one that is damaged is made again from nothing.
void simulated_cluster::age_store(host& one) {
    if (one.is_rotten || pick(8) != 0 || one.derived.applied == log_position{0})
        return;
    const bool is_lost = pick(3) == 0;
    ++(is_lost ? marks_.lost_stores : marks_.old_stores);
    one.derived = is_lost ? derived_copy{} : std::exchange(one.older_derived, {});
}

void simulated_cluster::leave(std::size_t which) {
    auto& one = hosts_[which];
    marks_.unknown_outcomes += one.waiting.size();
    one.waiting.clear();
    one.asking.clear();
    one.connections.clear();
    one.mender.reset();
    one.node.reset();
    // Most often the others' kernels hear of it.
    for (std::size_t other = 0; other < size(); ++other)
        if (other != which && hosts_[other].connections.erase(which) != 0 && pick(4) != 0)
            soon(other, pick_ms(1, 100), [this, which, other](simulated_node& node) {
                if (!hosts_[other].connections.contains(which))
                    node.step(broker::peer_lost{hosts_[which].name, clock_of(hosts_[other])});
            });
}

void simulated_cluster::power_off(std::size_t which, virtual_ms until_on) {
    if (!settings_.sync)
        return end_process(which, until_on);
    if (!hosts_[which].node && !hosts_[which].mender)
        return;
    leave(which);
    hosts_[which].disk->crash();
    ++marks_.power_cuts;
    after(until_on, [this, which] { start(which); });
}

void simulated_cluster::end_process(std::size_t which, virtual_ms until_restart) {
    if (!hosts_[which].node && !hosts_[which].mender)
        return;
    leave(which);
    ++marks_.processes_ended;
    after(until_restart, [this, which] { start(which); });
}

void simulated_cluster::hand_over(std::size_t which) {
    const auto life = hosts_[which].life;
    with(which, life, [](simulated_node& node) { node.step(broker::stopping{}); });
    after(pick_ms(300, 1'500), [this, which, life] {
        if (hosts_[which].life == life)
            end_process(which, pick_ms(10, 1'000));
    });
}

void simulated_cluster::pause(std::size_t which, virtual_ms length) {
    hosts_[which].paused_until = now_ + length;
}

void simulated_cluster::checkpoint(std::size_t which) {
    // A store ahead of its log would be thrown away by the next start.
    if (hosts_[which].node && !hosts_[which].node->replica().is_seeding() &&
        hosts_[which].node->replica().durable() >= hosts_[which].node->replica().applied())
        hosts_[which].older_derived = std::exchange(hosts_[which].derived, hosts_[which].node->checkpoint());
}

void simulated_cluster::trim(std::size_t which) {
    auto& one = hosts_[which];
    if (!one.node || !one.node->replica().ready() || one.paused_until > now_ || !problem_.empty())
        return;
    // Whom a trim leaves behind is as good as lost, and so is one whose rot nobody else has any more.
    if (std::any_of(hosts_.begin(), hosts_.end(), [](const host& each) { return each.is_rotten; }))
        return;
    const auto& state = one.node->replica().current();
    const auto limit = state.retention_limit(one.derived.applied, log_time(which));
    const log_position first{align_down(limit.first.value(), one.settings.segment_size)};
    if (first <= state.first_position())
        return;
    const broker::batch_ticket ticket{next_ticket_++};
    one.waiting[ticket.value()] = [this](const auto&) { ++marks_.trims; };
    trimmed_ = std::max(trimmed_, first);
    one.node->trim(first, ticket, log_time(which));
    settle(which);
}

void simulated_cluster::idle(std::size_t which) {
    with(which, hosts_[which].life, [this, which](simulated_node& node) { node.idle(log_time(which)); });
}

void simulated_cluster::tick(std::size_t which, std::uint64_t life) {
    if (!hosts_[which].node || hosts_[which].life != life)
        return;
    if (hosts_[which].paused_until <= now_)
        with(which, life, [&](simulated_node& node) {
            tell_room(hosts_[which]);
            node.step(broker::ticked{clock_of(hosts_[which])});
            if (pick(2) == 0)
                node.sync_late();
        });
    if (auto& one = hosts_[which]; one.node && one.life == life && one.paused_until <= now_) {
        one.mender->tick(clock_of(one));
        follow_mender(which);
    }
    after(tick_interval, [this, which, life] { tick(which, life); });
}

// --- steps
// --------------------------------------------------------------------------------------------------

void simulated_cluster::with(std::size_t which, std::uint64_t life,
                             std::function<void(simulated_node&)> what) {
    auto& one = hosts_[which];
    if (!one.node || one.life != life || !problem_.empty())
        return;
    if (one.paused_until > now_)
        return after(one.paused_until - now_,
                     [this, which, life, what = std::move(what)] { with(which, life, what); });
    what(*one.node);
    settle(which);
}

void simulated_cluster::soon(std::size_t which, virtual_ms delay, std::function<void(simulated_node&)> what) {
    after(delay,
          [this, which, life = hosts_[which].life, what = std::move(what)] { with(which, life, what); });
}

void simulated_cluster::settle(std::size_t which) {
    auto& one = hosts_[which];
    const auto outcomes = one.node->take_outcomes();
    if (!one.disk->has_power())
        return power_off(which, pick_ms(50, 3'000));
    note(which, outcomes);
    watch(which, outcomes);
    answer(which, outcomes);
    for (const auto& message : outcomes.messages)
        post(which, message);
    if (follow_ends(which, outcomes))
        return;
    use_disk(which, outcomes);
    if (outcomes.deposed) {
        ++marks_.deposed;
        marks_.without_quorum += one.node->replica().term() == one.term && !outcomes.fenced ? 1 : 0;
        marks_.unknown_outcomes += one.waiting.size();
        one.waiting.clear();
    }
    one.term = one.node->replica().term();
    marks_.fenced += outcomes.fenced ? 1 : 0;
    if ((outcomes.fenced || (outcomes.deposed && pick(2) == 0)) && !one.is_ending) {
        one.is_ending = true;
        after(pick_ms(1, 300), [this, which, life = one.life] {
            if (hosts_[which].life != life || !hosts_[which].node)
                return;
            if (pick(2) == 0)
                power_off(which, pick_ms(10, 500));
            else
                end_process(which, pick_ms(10, 500));
        });
    }
}

void simulated_cluster::watch(std::size_t which, const simulated_node::outcomes& outcomes) {
    auto& one = hosts_[which];
    for (const auto& entry : outcomes.entries)
        report(checker_.committed(one.name, entry.view()));
    for (const auto& run : outcomes.runs)
        report(checker_.shows(one.name, run));
    report(outcomes.problem);
    const auto& replica = one.node->replica();
    if (replica.raft().current_role() == consensus::role::leader) {
        if (replica.ready() && !std::exchange(one.was_ready, true))
            one.log_clock->not_before(replica.applied_time(), wall_time(one), clock_of(one));
        one.has_led = true;
        report(checker_.leads(one.name, replica.term()));
        if (on_commit_ && !outcomes.entries.empty())
            on_commit_(which);
    } else {
        one.was_ready = false; // half of the deposed go on, unlike a node's process
    }
    if (!one.has_led && replica.applied() > replica.flushed())
        report("ahead: the follower " + one.name + " has applied what it has not flushed");
    if (one.room_until && !one.has_led && replica.appended() > *one.room_until)
        report("room: " + one.name + " has taken more than it has room for");
    if (one.room_until && replica.appended() == *one.room_until &&
        replica.commit_told() > replica.appended() && !std::exchange(one.is_left, true))
        ++marks_.left_for_room;
    const bool is_full =
        outcomes.fence_reason && outcomes.fence_reason->code == errc::unavailable && one.is_full;
    marks_.full_disks += is_full ? 1 : 0;
    if (outcomes.fence_reason && outcomes.fence_reason->code != errc::io_failed && !is_full)
        report("fenced: " + one.name + ": " + outcomes.fence_reason->message);
    if (one.was_wiped && !replica.current().members().empty() &&
        std::find(replica.current().members().begin(), replica.current().members().end(), one.node->self()) !=
            replica.current().members().end()) {
        one.was_wiped = false;
        ++marks_.replaced;
    }
}

void simulated_cluster::answer(std::size_t which, const simulated_node::outcomes& outcomes) {
    auto& waiting = hosts_[which].waiting;
    for (const auto& batch : outcomes.rejected)
        waiting.erase(batch.ticket.value());
    for (const auto& batch : outcomes.applied) {
        auto found = waiting.extract(batch.ticket.value());
        if (found.empty())
            return report("answered: a batch that nobody waits for");
        ++marks_.answered;
        report(checker_.answered(batch));
        found.mapped()(batch);
    }
    for (const auto& told : outcomes.standings) {
        auto found = hosts_[which].asking.extract(told.ticket.value());
        if (found.empty())
            return report("standing: a question is answered that nobody waits for");
        if (told.is_leading)
            found.mapped()(*hosts_[which].node);
        else
            ++marks_.not_told;
    }
}

void simulated_cluster::use_disk(std::size_t which, const simulated_node::outcomes& outcomes) {
    const auto disk_time = [this] { return pick(30) == 0 ? pick_ms(20, 500) : pick_ms(1, 15); };
    for (const auto until : outcomes.flushes)
        soon(which, disk_time(), [until](simulated_node& node) { node.flush_until(until); });
    if (outcomes.truncates) {
        ++marks_.truncations;
        soon(which, disk_time(), [](simulated_node& node) { node.truncate(); });
    }
    for (const auto& wanted : outcomes.reads) {
        ++marks_.old_reads;
        soon(which, disk_time(), [wanted](simulated_node& node) { node.read(wanted); });
    }
}

std::uint64_t simulated_cluster::send(std::size_t to, broker::entry_draft draft, answer_action answer) {
    auto& one = hosts_[to];
    if (!one.node || one.paused_until > now_ || !problem_.empty())
        return 0;
    const broker::batch_ticket ticket{next_ticket_++};
    one.waiting[ticket.value()] = std::move(answer);
    one.node->append(std::move(draft), ticket, log_time(to));
    settle(to);
    return ticket.value();
}

void simulated_cluster::ask(std::size_t to, question_action then) {
    auto& one = hosts_[to];
    if (!one.node || one.paused_until > now_ || !problem_.empty())
        return;
    const broker::standing_ticket ticket{next_ticket_++};
    one.asking[ticket.value()] = std::move(then);
    one.node->step(broker::standing_asked{ticket, clock_of(one)});
    settle(to);
}

// --- network
// ------------------------------------------------------------------------------------------------

void simulated_cluster::note(const consensus::message& what) {
    if (const auto* const vote = std::get_if<consensus::vote_answer>(&what.body))
        (vote->is_pre_vote ? marks_.pre_votes_refused : marks_.votes_refused) += vote->is_granted ? 0 : 1;
    else if (const auto* const answer = std::get_if<consensus::append_answer>(&what.body))
        marks_.rejections += !answer->is_matched && !answer->runs.empty() ? 1 : 0;
    else if (const auto* const asked = std::get_if<consensus::vote_request>(&what.body))
        marks_.transfers += asked->is_transfer ? 1 : 0;
}

// Every copy is made of bytes of its own.
void simulated_cluster::post(std::size_t from, const consensus::message& what) {
    note(what);
    const auto to = static_cast<std::size_t>(what.to.front() - 'a');
    const auto arrivals = network_.send(from, to);
    digest_.add(arrivals.size());
    if (arrivals.empty())
        return;
    auto body = std::make_shared<std::vector<std::byte>>();
    if (const auto* const request = std::get_if<consensus::append_request>(&what.body))
        for (const auto& entry : request->entries)
            body->insert(body->end(), entry.view().begin(), entry.view().end());
    for (const auto arrival : arrivals)
        after(arrival, [this, to, head = consensus::encode_head(what), body] {
            auto decoded = consensus::decode_message(head, shared_bytes::copy_of(*body));
            if (!decoded.ok())
                return report("codec: " + decoded.failure().message);
            auto& one = hosts_[to];
            with(to, one.life, [this, &one, message = *std::move(decoded)](simulated_node& node) {
                node.step(broker::message_received{message, clock_of(one)});
            });
        });
    if (const auto* const vote = std::get_if<consensus::vote_answer>(&what.body);
        vote != nullptr && vote->is_granted && !vote->is_pre_vote && on_vote_)
        on_vote_(from, to);
}

// What a node hears of the others' processes; and what a hello said, once more when it has changed.
void simulated_cluster::connect() {
    for (std::size_t i = 0; i < size(); ++i)
        for (std::size_t j = 0; j < size(); ++j) {
            if (i == j || !hosts_[i].node || !hosts_[j].node || !network_.is_open(i, j) ||
                !network_.is_open(j, i) || hosts_[i].paused_until > now_ || hosts_[j].paused_until > now_)
                continue;
            const connection now{hosts_[j].life, hosts_[j].node->replica().appended() == log_position{0}};
            auto& known = hosts_[i].connections[j];
            if (known == now)
                continue;
            known = now;
            const broker::peer_found found{hosts_[j].node->self(), now.has_empty_log, clock_of(hosts_[i])};
            with(i, hosts_[i].life, [&](simulated_node& node) { node.step(found); });
            if (hosts_[i].mender)
                hosts_[i].mender->peer_found(clock_of(hosts_[i]));
        }
    after(connect_interval, [this] { connect(); });
}

void simulated_cluster::break_connection(std::size_t one, std::size_t other) {
    for (const auto& [here, there] : {std::pair{one, other}, std::pair{other, one}})
        if (hosts_[here].connections.erase(there) != 0)
            soon(here, pick_ms(0, 30), [this, from = here, to = there](simulated_node& node) {
                if (!hosts_[from].connections.contains(to))
                    node.step(broker::peer_lost{hosts_[to].name, clock_of(hosts_[from])});
            });
}

void simulated_cluster::break_cut_connections() {
    for (std::size_t i = 0; i < size(); ++i)
        for (std::size_t j = i + 1; j < size(); ++j)
            if (!network_.is_open(i, j) || !network_.is_open(j, i))
                break_connection(i, j);
}

} // namespace holdfast::simulation
