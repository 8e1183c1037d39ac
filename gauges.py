"""What the media path counts, as Prometheus reads it: every drop, refusal and delay under one name each."""

from dataclasses import asdict

from .station.archive import Archive
from .streamer.links import Links
from .streamer.mounts import Mounts
from .streamer.outputs.hls import Hls
from .streamer.outputs.multicast import Multicast
from .streamer.outputs.recording import Recorder
from .streamer.outputs.whep import Whep
from .streamer.pump import Pump
from .streamer.udp import UdpPort
from .streamer.whip import Whip
from .web.connections import Connections
from .web.metrics import Reading


def port_readings(connections: Connections) -> tuple[Reading, ...]:
    """Readings of the HTTP ports."""
    return (
        Reading("loa_connections", "Open connections that are counted", connections.__len__, counter=False),
        Reading("loa_connections_refused", "Connections turned away", lambda: connections.refused),
    )


def multicast_readings(multicast: Multicast) -> tuple[Reading, ...]:
    """What leaves for groups on LANs."""
    return (
        Reading("loa_multicast_groups", "Multicast groups", lambda: len(multicast), counter=False),
        Reading("loa_multicast", "Packets to groups by fate", lambda: asdict(multicast.counters), "fate"),
    )


def whep_readings(whep: Whep) -> tuple[Reading, ...]:
    """Who listens by WebRTC."""
    return (
        Reading("loa_whep_listeners", "Who listens by WebRTC", lambda: len(whep), counter=False),
        Reading("loa_whep", "Listening by WebRTC, by event", lambda: asdict(whep.counters), "event"),
    )


def media_readings(
    udp: UdpPort, links: Links, pump: Pump, mounts: Mounts, hls: Hls, whip: Whip
) -> tuple[Reading, ...]:
    """Readings of parts that live as long as the registry."""
    return (
        Reading(
            "loa_udp_datagrams", "Datagrams of the fan-out by fate", lambda: asdict(udp.fanout.counts), "fate"
        ),
        Reading("loa_udp_received", "Datagrams that came in, by fault", lambda: dict(udp.counts), "fault"),
        Reading(
            "loa_udp_attached", "Speakers that listen by UDP", lambda: len(udp.attachments), counter=False
        ),
        Reading("loa_links", "Control links", links.count, counter=False),
        Reading("loa_link_events", "What happened on control links", lambda: dict(links.counts), "event"),
        Reading("loa_listeners", "Listeners of mounts", lambda: mounts.listeners, counter=False),
        Reading("loa_mount_mp3", "MP3 mounts by event", lambda: asdict(mounts.counters["mp3"]), "event"),
        Reading(
            "loa_mount_opus", "Ogg-Opus mounts by event", lambda: asdict(mounts.counters["opus"]), "event"
        ),
        Reading("loa_mount_aac", "AAC mounts by event", lambda: asdict(mounts.counters["aac"]), "event"),
        Reading("loa_listeners_refused", "Players turned away", lambda: mounts.refused),
        Reading("loa_hls_places", "Places whose HLS is asked for", lambda: hls.places, counter=False),
        Reading("loa_hls_segments", "HLS segments built", lambda: hls.segments),
        Reading("loa_hls_refused", "HLS of places turned away", lambda: hls.refused),
        Reading("loa_ticks", "Ticks of the pump", lambda: pump.counts.ticks),
        Reading("loa_ticks_skipped", "Ticks that came too late to matter", lambda: pump.counts.skipped),
        Reading("loa_ticks_failed", "Ticks that failed", lambda: pump.counts.failed),
        Reading("loa_microphones", "Microphones that have called in", lambda: len(whip), counter=False),
        Reading("loa_microphone_faults", "Datagrams refused", lambda: asdict(whip.peers.counters), "fault"),
    )


def archive_readings(recorder: Recorder, archive: Archive) -> tuple[Reading, ...]:
    """What is recorded, and what is lost on the way."""
    return (
        Reading("loa_recorded", "Packets recorded, by fate", lambda: asdict(recorder.counts), "fate"),
        Reading(
            "loa_recorder_fault",
            "1 while nothing can be written",
            lambda: int(recorder.fault is not None),
            counter=False,
        ),
        Reading("loa_archive_dropped", "Notes of what aired that were lost", lambda: archive.dropped),
        Reading("loa_archive_removed", "Recordings removed by the rule", lambda: archive.removed),
    )
