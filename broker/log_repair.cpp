#include "broker/log_repair.hpp"

#include <utility>

namespace holdfast::broker {

repair_effects log_repair::begin(const repair_order& order, steady_ms now) {
    HOLDFAST_CHECK(!is_active_);
    is_active_ = true;
    order_ = order;
    place_.reset();
    look_on(order.where.from, now);
    return std::exchange(out_, {});
}

void log_repair::look_on(log_position from, steady_ms now) {
    auto where = order_.where;
    where.from = from;
    const auto found = storage::find_rot(segments_, where);
    if (!found.ok())
        return finish(repair_result::unrepaired, found.failure().message);
    if (!*found)
        return finish(repair_result::sound, {});
    if (place_ && (*found)->first == place_->first)
        return finish(repair_result::disk_failed,
                      (*found)->reason + ". It was just put right: the disk is broken, replace it");
    place_ = **found;
    if (!place_->has_end)
        return finish(repair_result::unrepaired,
                      place_->reason + ". No whole entry stands behind it, so nothing can prove what another "
                                       "node says of this place");
    mender_.emplace(segments_, *place_, order_.limit, settings_.most_kept);
    tries_.clear();
    since_ = now;
    ask_next(now);
}

void log_repair::ask(steady_ms now) {
    const auto wanted = mender_->next();
    deadline_ = now + settings_.answer_timeout;
    out_.ask = repair_effects::question{asked_, {++last_id_, wanted.entry, wanted.offset}};
}

void log_repair::ask_next(steady_ms now) {
    if (tries_.size() >= settings_.peers.size())
        return end_round(now);
    while (tries_.contains(settings_.peers[next_peer_ % settings_.peers.size()]))
        ++next_peer_;
    asked_ = settings_.peers[next_peer_ % settings_.peers.size()];
    ask(now);
}

void log_repair::end_round(steady_ms now) {
    asked_.clear();
    bool is_final = true;
    for (const auto& [peer, why] : tries_)
        is_final = is_final && why.is_final;
    if (is_final || now - since_ >= settings_.patience)
        return finish(repair_result::unrepaired,
                      place_->reason +
                          ". The other nodes were asked for what stood there: " + describe_tries());
    deadline_ = now + settings_.round_pause;
}

std::string log_repair::describe_tries() const {
    std::string all;
    for (const auto& [peer, why] : tries_)
        all += (all.empty() ? "" : "; ") + peer + ": " + why.words;
    return all;
}

// The one asked is of no use: nothing of its bytes is kept.
void log_repair::give_up_on(failed_try why, steady_ms now) {
    tries_.insert_or_assign(asked_, std::move(why));
    mender_->start_again();
    ask_next(now);
}

repair_effects log_repair::answered(const std::string& from, const log_bytes_answer& answer, byte_view bytes,
                                    steady_ms now) {
    if (!is_active_ || from != asked_ || answer.id != last_id_)
        return {};
    if (bytes.empty()) {
        give_up_on({answer.refusal.empty() ? "it has nothing" : answer.refusal, true}, now);
        return std::exchange(out_, {});
    }
    const auto verdict = mender_->take(bytes);
    if (!verdict.ok()) {
        finish(repair_result::disk_failed, verdict.failure().message);
        return std::exchange(out_, {});
    }
    if (verdict->written) {
        out_.done.push_back({*verdict->written, from});
        tries_.clear();
        since_ = now;
    }
    if (!verdict->refuted.empty())
        give_up_on({verdict->refuted, true}, now);
    else if (verdict->is_mended)
        look_on(place_->before ? place_->before->position : place_->first, now);
    else
        ask(now);
    return std::exchange(out_, {});
}

repair_effects log_repair::not_sent(steady_ms now) {
    if (is_active_ && !asked_.empty())
        give_up_on({"there is no link to it", false}, now);
    return std::exchange(out_, {});
}

repair_effects log_repair::peer_found(steady_ms now) {
    if (is_active_ && asked_.empty())
        deadline_ = now;
    return ticked(now);
}

repair_effects log_repair::ticked(steady_ms now) {
    if (!is_active_ || now < deadline_)
        return {};
    if (asked_.empty()) {
        tries_.clear();
        ask_next(now);
    } else {
        give_up_on({"it does not answer", false}, now);
    }
    return std::exchange(out_, {});
}

void log_repair::finish(repair_result how, std::string words) {
    is_active_ = false;
    asked_.clear();
    mender_.reset();
    out_.ask.reset();
    out_.end = repair_end{how, std::move(words)};
}

} // namespace holdfast::broker
