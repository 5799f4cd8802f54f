#include "actors/flusher.hpp"

#include "actors/lent_thread.hpp"

#include <algorithm>
#include <utility>

namespace holdfast::actors {
namespace {

// After a small write nothing more waits, as a rule: then the report's way to the client, by the log and the
// session, is walked on this thread.
constexpr std::uint64_t lends_up_to = 4096;
constexpr int lent_turns = 2;

flush_report carry_out(storage::log_writer& writer, const broker::flush_request& request, bool sync) {
    auto outcome = writer.write(request.entries, request.first, request.lane);
    if (outcome.ok() && sync)
        outcome = writer.flush(request.lane);
    if (!outcome.ok())
        return {{}, {}, outcome.failure()};
    return {request.until, sync ? request.until : std::min(request.until, writer.flushed_until()),
            std::nullopt};
}

} // namespace

flusher_body::behavior_type flusher(flusher_body::pointer self, commit_log_actor log,
                                    storage::log_store* store, flusher_settings settings) {
    auto* const writer = &store->writer();
    if (!settings.sync)
        self->delayed_send(self, settings.async_interval, tick_atom::value);
    return {
        [=](flush_atom, const flush_request_ptr& request) {
            auto report = carry_out(*writer, *request, settings.sync);
            if (request->until - request->first > lends_up_to)
                return self->send(log, flushed_atom::value, std::move(report));
            lent_thread lent{self->system()};
            auto* const own = self->context();
            self->context(&lent);
            self->send(log, flushed_atom::value, std::move(report));
            self->context(own);
            lent.run(lent_turns);
        },
        [=](cut_atom, log_position at) {
            const auto outcome = store->truncate(at);
            self->send(log, cut_atom::value,
                       outcome.ok() ? flush_report{at, at, std::nullopt}
                                    : flush_report{{}, {}, outcome.failure()});
        },
        [=](tick_atom) {
            self->delayed_send(self, settings.async_interval, tick_atom::value);
            if (writer->flushed_until() == writer->written_until() && !writer->failure())
                return;
            const auto outcome = writer->flush();
            const auto until = writer->flushed_until();
            self->send(log, flushed_atom::value,
                       outcome.ok() ? flush_report{until, until, std::nullopt}
                                    : flush_report{{}, {}, outcome.failure()});
        },
    };
}

} // namespace holdfast::actors
