#include "actors/flusher.hpp"

namespace holdfast::actors {
namespace {

flush_report carry_out(storage::log_writer& writer, const broker::flush_request& request, bool sync) {
    auto outcome = writer.write(request.entries, request.first);
    if (outcome.ok() && sync)
        outcome = writer.flush();
    if (!outcome.ok())
        return {{}, {}, outcome.failure()};
    return {request.until, std::min(request.until, writer.flushed_until()), std::nullopt};
}

} // namespace

flusher_body::behavior_type flusher(flusher_body::pointer self, commit_log_actor log,
                                    storage::log_writer* writer, flusher_settings settings) {
    if (!settings.sync)
        self->delayed_send(self, settings.async_interval, tick_atom::value);
    return {
        [=](flush_atom, const flush_request_ptr& request) {
            self->send(log, flushed_atom::value, carry_out(*writer, *request, settings.sync));
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
