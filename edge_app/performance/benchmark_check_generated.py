"""Whether an object is as `benchmark.schema.json` says: `validate` raises an `InvalidError` if not.

Made from it by `python -m tools.compile_schemas`; not to be edited.
"""

# ruff: noqa
# fmt: off
# mypy: ignore-errors

from edge_app.core.errors import InvalidError

SCHEMA_SHA256 = "9cb4956bf73c11ae5abd011d01d0fa6b514a7721cdc4ab8a7bcb57969ad54c2d"

VERSION = '2.22.3'
import re
REGEX_PATTERNS = {'^[0-9a-f]{64}$': re.compile('^[0-9a-f]{64}\\Z'), '^[a-z0-9_]{1,40}$': re.compile('^[a-z0-9_]{1,40}\\Z')}
NoneType = type(None)

def validate(data, custom_formats={}, name_prefix=None) -> object:
    if not isinstance(data, dict):
        raise InvalidError((name_prefix or 'data') + ' must be object')
    data__missing_keys = set(['kind', 'schema_version', 'edge_cxr', 'created', 'command', 'ended', 'partial', 'warnings', 'settings', 'machine', 'conditions', 'images', 'cells', 'not_measured']) - data.keys()
    if data__missing_keys:
        raise InvalidError((name_prefix or 'data') + ' must contain ' + (str(sorted(data__missing_keys)) + ' properties'))
    data_keys = set(data.keys())
    if 'kind' in data_keys:
        data_keys.remove('kind')
        data__kind = data['kind']
        if not (isinstance(data__kind, str) and data__kind == 'edge-cxr benchmark'):
            raise InvalidError((name_prefix or 'data') + '.kind must be same as const definition: edge-cxr benchmark')
    if 'schema_version' in data_keys:
        data_keys.remove('schema_version')
        data__schemaversion = data['schema_version']
        if not (isinstance(data__schemaversion, (int, float)) and (not isinstance(data__schemaversion, bool)) and (data__schemaversion == 1)):
            raise InvalidError((name_prefix or 'data') + '.schema_version must be same as const definition: 1')
    if 'edge_cxr' in data_keys:
        data_keys.remove('edge_cxr')
        data__edgecxr = data['edge_cxr']
        if not isinstance(data__edgecxr, str):
            raise InvalidError((name_prefix or 'data') + '.edge_cxr must be string')
        data__edgecxr_len = len(data__edgecxr)
        if data__edgecxr_len > 40:
            raise InvalidError((name_prefix or 'data') + '.edge_cxr must be shorter than or equal to 40 characters')
    if 'created' in data_keys:
        data_keys.remove('created')
        data__created = data['created']
        if not isinstance(data__created, str):
            raise InvalidError((name_prefix or 'data') + '.created must be string')
        data__created_len = len(data__created)
        if data__created_len > 40:
            raise InvalidError((name_prefix or 'data') + '.created must be shorter than or equal to 40 characters')
    if 'command' in data_keys:
        data_keys.remove('command')
        data__command = data['command']
        if not isinstance(data__command, (list, tuple)):
            raise InvalidError((name_prefix or 'data') + '.command must be array')
        data__command_len = len(data__command)
        if data__command_len > 10000:
            raise InvalidError((name_prefix or 'data') + '.command must contain less than or equal to 10000 items')
        for data__command_x, data__command_item in enumerate(data__command):
            if not isinstance(data__command_item, str):
                raise InvalidError((name_prefix or 'data') + f'.command[{data__command_x}]' + ' must be string')
            data__command_item_len = len(data__command_item)
            if data__command_item_len > 4096:
                raise InvalidError((name_prefix or 'data') + f'.command[{data__command_x}]' + ' must be shorter than or equal to 4096 characters')
    if 'ended' in data_keys:
        data_keys.remove('ended')
        data__ended = data['ended']
        if not (isinstance(data__ended, str) and data__ended == 'precise' or (isinstance(data__ended, str) and data__ended == 'budget') or (isinstance(data__ended, str) and data__ended == 'interrupted')):
            raise InvalidError((name_prefix or 'data') + ".ended must be one of ['precise', 'budget', 'interrupted']")
    if 'partial' in data_keys:
        data_keys.remove('partial')
        data__partial = data['partial']
        if not isinstance(data__partial, bool):
            raise InvalidError((name_prefix or 'data') + '.partial must be boolean')
    if 'warnings' in data_keys:
        data_keys.remove('warnings')
        data__warnings = data['warnings']
        if not isinstance(data__warnings, (list, tuple)):
            raise InvalidError((name_prefix or 'data') + '.warnings must be array')
        data__warnings_len = len(data__warnings)
        if data__warnings_len > 100:
            raise InvalidError((name_prefix or 'data') + '.warnings must contain less than or equal to 100 items')
        for data__warnings_x, data__warnings_item in enumerate(data__warnings):
            if not isinstance(data__warnings_item, str):
                raise InvalidError((name_prefix or 'data') + f'.warnings[{data__warnings_x}]' + ' must be string')
            data__warnings_item_len = len(data__warnings_item)
            if data__warnings_item_len > 1000:
                raise InvalidError((name_prefix or 'data') + f'.warnings[{data__warnings_x}]' + ' must be shorter than or equal to 1000 characters')
    if 'settings' in data_keys:
        data_keys.remove('settings')
        data__settings = data['settings']
        if not isinstance(data__settings, dict):
            raise InvalidError((name_prefix or 'data') + '.settings must be object')
        data__settings__missing_keys = set(['seconds', 'precision', 'workers']) - data__settings.keys()
        if data__settings__missing_keys:
            raise InvalidError((name_prefix or 'data') + '.settings must contain ' + (str(sorted(data__settings__missing_keys)) + ' properties'))
        data__settings_keys = set(data__settings.keys())
        if 'seconds' in data__settings_keys:
            data__settings_keys.remove('seconds')
            data__settings__seconds = data__settings['seconds']
            if not isinstance(data__settings__seconds, (int, float)) or isinstance(data__settings__seconds, bool):
                raise InvalidError((name_prefix or 'data') + '.settings.seconds must be number')
            if data__settings__seconds < 0:
                raise InvalidError((name_prefix or 'data') + '.settings.seconds must be bigger than or equal to 0')
        if 'precision' in data__settings_keys:
            data__settings_keys.remove('precision')
            data__settings__precision = data__settings['precision']
            if not isinstance(data__settings__precision, (int, float)) or isinstance(data__settings__precision, bool):
                raise InvalidError((name_prefix or 'data') + '.settings.precision must be number')
            if data__settings__precision < 0:
                raise InvalidError((name_prefix or 'data') + '.settings.precision must be bigger than or equal to 0')
        if 'workers' in data__settings_keys:
            data__settings_keys.remove('workers')
            data__settings__workers = data__settings['workers']
            if not isinstance(data__settings__workers, (list, tuple)):
                raise InvalidError((name_prefix or 'data') + '.settings.workers must be array')
            data__settings__workers_len = len(data__settings__workers)
            if data__settings__workers_len > 64:
                raise InvalidError((name_prefix or 'data') + '.settings.workers must contain less than or equal to 64 items')
            for data__settings__workers_x, data__settings__workers_item in enumerate(data__settings__workers):
                if not isinstance(data__settings__workers_item, int) or isinstance(data__settings__workers_item, bool):
                    raise InvalidError((name_prefix or 'data') + f'.settings.workers[{data__settings__workers_x}]' + ' must be integer')
                if data__settings__workers_item < 1:
                    raise InvalidError((name_prefix or 'data') + f'.settings.workers[{data__settings__workers_x}]' + ' must be bigger than or equal to 1')
        if 'site' in data__settings_keys:
            data__settings_keys.remove('site')
            data__settings__site = data__settings['site']
            if not isinstance(data__settings__site, str):
                raise InvalidError((name_prefix or 'data') + '.settings.site must be string')
            if not REGEX_PATTERNS['^[0-9a-f]{64}$'].search(data__settings__site):
                raise InvalidError((name_prefix or 'data') + '.settings.site must match pattern ^[0-9a-f]{64}$')
        if data__settings_keys:
            raise InvalidError((name_prefix or 'data') + '.settings must not contain ' + str(data__settings_keys) + ' properties')
    if 'machine' in data_keys:
        data_keys.remove('machine')
        data__machine = data['machine']
        if not isinstance(data__machine, dict):
            raise InvalidError((name_prefix or 'data') + '.machine must be object')
        data__machine__missing_keys = set(['machine', 'cpu', 'board', 'cores', 'features', 'memory_mib', 'governor', 'max_mhz', 'kernel', 'packages']) - data__machine.keys()
        if data__machine__missing_keys:
            raise InvalidError((name_prefix or 'data') + '.machine must contain ' + (str(sorted(data__machine__missing_keys)) + ' properties'))
    if 'conditions' in data_keys:
        data_keys.remove('conditions')
        data__conditions = data['conditions']
        if not isinstance(data__conditions, dict):
            raise InvalidError((name_prefix or 'data') + '.conditions must be object')
        data__conditions__missing_keys = set(['seconds', 'others', 'stolen', 'clock_jump', 'before', 'after']) - data__conditions.keys()
        if data__conditions__missing_keys:
            raise InvalidError((name_prefix or 'data') + '.conditions must contain ' + (str(sorted(data__conditions__missing_keys)) + ' properties'))
        data__conditions_keys = set(data__conditions.keys())
        if 'seconds' in data__conditions_keys:
            data__conditions_keys.remove('seconds')
            data__conditions__seconds = data__conditions['seconds']
            if not isinstance(data__conditions__seconds, (int, float)) or isinstance(data__conditions__seconds, bool):
                raise InvalidError((name_prefix or 'data') + '.conditions.seconds must be number')
        if 'others' in data__conditions_keys:
            data__conditions_keys.remove('others')
            data__conditions__others = data__conditions['others']
            if not isinstance(data__conditions__others, (int, float, NoneType)) or isinstance(data__conditions__others, bool):
                raise InvalidError((name_prefix or 'data') + '.conditions.others must be number or null')
        if 'stolen' in data__conditions_keys:
            data__conditions_keys.remove('stolen')
            data__conditions__stolen = data__conditions['stolen']
            if not isinstance(data__conditions__stolen, (int, float, NoneType)) or isinstance(data__conditions__stolen, bool):
                raise InvalidError((name_prefix or 'data') + '.conditions.stolen must be number or null')
        if 'clock_jump' in data__conditions_keys:
            data__conditions_keys.remove('clock_jump')
            data__conditions__clockjump = data__conditions['clock_jump']
            if not isinstance(data__conditions__clockjump, (int, float)) or isinstance(data__conditions__clockjump, bool):
                raise InvalidError((name_prefix or 'data') + '.conditions.clock_jump must be number')
        if 'before' in data__conditions_keys:
            data__conditions_keys.remove('before')
            data__conditions__before = data__conditions['before']
            if not isinstance(data__conditions__before, dict):
                raise InvalidError((name_prefix or 'data') + '.conditions.before must be object')
        if 'after' in data__conditions_keys:
            data__conditions_keys.remove('after')
            data__conditions__after = data__conditions['after']
            if not isinstance(data__conditions__after, dict):
                raise InvalidError((name_prefix or 'data') + '.conditions.after must be object')
        if data__conditions_keys:
            raise InvalidError((name_prefix or 'data') + '.conditions must not contain ' + str(data__conditions_keys) + ' properties')
    if 'images' in data_keys:
        data_keys.remove('images')
        data__images = data['images']
        if not isinstance(data__images, dict):
            raise InvalidError((name_prefix or 'data') + '.images must be object')
        data__images__missing_keys = set(['source', 'count', 'bytes', 'kinds', 'pixels_sha256']) - data__images.keys()
        if data__images__missing_keys:
            raise InvalidError((name_prefix or 'data') + '.images must contain ' + (str(sorted(data__images__missing_keys)) + ' properties'))
        data__images_keys = set(data__images.keys())
        if 'source' in data__images_keys:
            data__images_keys.remove('source')
            data__images__source = data__images['source']
            if not (isinstance(data__images__source, str) and data__images__source == 'named' or (isinstance(data__images__source, str) and data__images__source == 'synthetic')):
                raise InvalidError((name_prefix or 'data') + ".images.source must be one of ['named', 'synthetic']")
        if 'count' in data__images_keys:
            data__images_keys.remove('count')
            data__images__count = data__images['count']
            if not isinstance(data__images__count, int) or isinstance(data__images__count, bool):
                raise InvalidError((name_prefix or 'data') + '.images.count must be integer')
            if data__images__count < 1:
                raise InvalidError((name_prefix or 'data') + '.images.count must be bigger than or equal to 1')
        if 'bytes' in data__images_keys:
            data__images_keys.remove('bytes')
            data__images__bytes = data__images['bytes']
            if not isinstance(data__images__bytes, int) or isinstance(data__images__bytes, bool):
                raise InvalidError((name_prefix or 'data') + '.images.bytes must be integer')
            if data__images__bytes < 1:
                raise InvalidError((name_prefix or 'data') + '.images.bytes must be bigger than or equal to 1')
        if 'kinds' in data__images_keys:
            data__images_keys.remove('kinds')
            data__images__kinds = data__images['kinds']
            if not isinstance(data__images__kinds, dict):
                raise InvalidError((name_prefix or 'data') + '.images.kinds must be object')
            data__images__kinds_keys = set(data__images__kinds.keys())
            for data__images__kinds_key in data__images__kinds_keys:
                if data__images__kinds_key not in []:
                    data__images__kinds_value = data__images__kinds.get(data__images__kinds_key)
                    if not isinstance(data__images__kinds_value, int) or isinstance(data__images__kinds_value, bool):
                        raise InvalidError((name_prefix or 'data') + f'.images.kinds.{data__images__kinds_key}' + ' must be integer')
        if 'pixels_sha256' in data__images_keys:
            data__images_keys.remove('pixels_sha256')
            data__images__pixelssha256 = data__images['pixels_sha256']
            if not isinstance(data__images__pixelssha256, str):
                raise InvalidError((name_prefix or 'data') + '.images.pixels_sha256 must be string')
            if not REGEX_PATTERNS['^[0-9a-f]{64}$'].search(data__images__pixelssha256):
                raise InvalidError((name_prefix or 'data') + '.images.pixels_sha256 must match pattern ^[0-9a-f]{64}$')
        if data__images_keys:
            raise InvalidError((name_prefix or 'data') + '.images must not contain ' + str(data__images_keys) + ' properties')
    if 'not_measured' in data_keys:
        data_keys.remove('not_measured')
        data__notmeasured = data['not_measured']
        if not isinstance(data__notmeasured, (list, tuple)):
            raise InvalidError((name_prefix or 'data') + '.not_measured must be array')
        data__notmeasured_len = len(data__notmeasured)
        if data__notmeasured_len > 1000:
            raise InvalidError((name_prefix or 'data') + '.not_measured must contain less than or equal to 1000 items')
        for data__notmeasured_x, data__notmeasured_item in enumerate(data__notmeasured):
            if not isinstance(data__notmeasured_item, dict):
                raise InvalidError((name_prefix or 'data') + f'.not_measured[{data__notmeasured_x}]' + ' must be object')
            data__notmeasured_item__missing_keys = set(['label', 'reason']) - data__notmeasured_item.keys()
            if data__notmeasured_item__missing_keys:
                raise InvalidError((name_prefix or 'data') + f'.not_measured[{data__notmeasured_x}]' + ' must contain ' + (str(sorted(data__notmeasured_item__missing_keys)) + ' properties'))
            data__notmeasured_item_keys = set(data__notmeasured_item.keys())
            if 'label' in data__notmeasured_item_keys:
                data__notmeasured_item_keys.remove('label')
                data__notmeasured_item__label = data__notmeasured_item['label']
                if not isinstance(data__notmeasured_item__label, str):
                    raise InvalidError((name_prefix or 'data') + f'.not_measured[{data__notmeasured_x}].label' + ' must be string')
                data__notmeasured_item__label_len = len(data__notmeasured_item__label)
                if data__notmeasured_item__label_len > 8400:
                    raise InvalidError((name_prefix or 'data') + f'.not_measured[{data__notmeasured_x}].label' + ' must be shorter than or equal to 8400 characters')
            if 'reason' in data__notmeasured_item_keys:
                data__notmeasured_item_keys.remove('reason')
                data__notmeasured_item__reason = data__notmeasured_item['reason']
                if not isinstance(data__notmeasured_item__reason, str):
                    raise InvalidError((name_prefix or 'data') + f'.not_measured[{data__notmeasured_x}].reason' + ' must be string')
                data__notmeasured_item__reason_len = len(data__notmeasured_item__reason)
                if data__notmeasured_item__reason_len > 8400:
                    raise InvalidError((name_prefix or 'data') + f'.not_measured[{data__notmeasured_x}].reason' + ' must be shorter than or equal to 8400 characters')
            if data__notmeasured_item_keys:
                raise InvalidError((name_prefix or 'data') + f'.not_measured[{data__notmeasured_x}]' + ' must not contain ' + str(data__notmeasured_item_keys) + ' properties')
    if 'cells' in data_keys:
        data_keys.remove('cells')
        data__cells = data['cells']
        if not isinstance(data__cells, (list, tuple)):
            raise InvalidError((name_prefix or 'data') + '.cells must be array')
        data__cells_len = len(data__cells)
        if data__cells_len < 1:
            raise InvalidError((name_prefix or 'data') + '.cells must contain at least 1 items')
        if data__cells_len > 1000:
            raise InvalidError((name_prefix or 'data') + '.cells must contain less than or equal to 1000 items')
        for data__cells_x, data__cells_item in enumerate(data__cells):
            if not isinstance(data__cells_item, dict):
                raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}]' + ' must be object')
            data__cells_item__missing_keys = set(['label', 'model', 'runtime', 'warm_up', 'quantities']) - data__cells_item.keys()
            if data__cells_item__missing_keys:
                raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}]' + ' must contain ' + (str(sorted(data__cells_item__missing_keys)) + ' properties'))
            data__cells_item_keys = set(data__cells_item.keys())
            if 'label' in data__cells_item_keys:
                data__cells_item_keys.remove('label')
                data__cells_item__label = data__cells_item['label']
                if not isinstance(data__cells_item__label, str):
                    raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].label' + ' must be string')
                data__cells_item__label_len = len(data__cells_item__label)
                if data__cells_item__label_len > 4200:
                    raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].label' + ' must be shorter than or equal to 4200 characters')
            if 'model' in data__cells_item_keys:
                data__cells_item_keys.remove('model')
                data__cells_item__model = data__cells_item['model']
                if not isinstance(data__cells_item__model, dict):
                    raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].model' + ' must be object')
                data__cells_item__model__missing_keys = set(['name', 'sha256', 'dtype', 'bytes']) - data__cells_item__model.keys()
                if data__cells_item__model__missing_keys:
                    raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].model' + ' must contain ' + (str(sorted(data__cells_item__model__missing_keys)) + ' properties'))
                data__cells_item__model_keys = set(data__cells_item__model.keys())
                if 'name' in data__cells_item__model_keys:
                    data__cells_item__model_keys.remove('name')
                    data__cells_item__model__name = data__cells_item__model['name']
                    if not isinstance(data__cells_item__model__name, str):
                        raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].model.name' + ' must be string')
                    data__cells_item__model__name_len = len(data__cells_item__model__name)
                    if data__cells_item__model__name_len > 100:
                        raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].model.name' + ' must be shorter than or equal to 100 characters')
                if 'sha256' in data__cells_item__model_keys:
                    data__cells_item__model_keys.remove('sha256')
                    data__cells_item__model__sha256 = data__cells_item__model['sha256']
                    if not isinstance(data__cells_item__model__sha256, str):
                        raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].model.sha256' + ' must be string')
                    if not REGEX_PATTERNS['^[0-9a-f]{64}$'].search(data__cells_item__model__sha256):
                        raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].model.sha256' + ' must match pattern ^[0-9a-f]{64}$')
                if 'digest' in data__cells_item__model_keys:
                    data__cells_item__model_keys.remove('digest')
                    data__cells_item__model__digest = data__cells_item__model['digest']
                    if not isinstance(data__cells_item__model__digest, (str, NoneType)):
                        raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].model.digest' + ' must be string or null')
                    if isinstance(data__cells_item__model__digest, str):
                        if not REGEX_PATTERNS['^[0-9a-f]{64}$'].search(data__cells_item__model__digest):
                            raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].model.digest' + ' must match pattern ^[0-9a-f]{64}$')
                if 'dtype' in data__cells_item__model_keys:
                    data__cells_item__model_keys.remove('dtype')
                    data__cells_item__model__dtype = data__cells_item__model['dtype']
                    if not isinstance(data__cells_item__model__dtype, str):
                        raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].model.dtype' + ' must be string')
                    data__cells_item__model__dtype_len = len(data__cells_item__model__dtype)
                    if data__cells_item__model__dtype_len > 20:
                        raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].model.dtype' + ' must be shorter than or equal to 20 characters')
                if 'bytes' in data__cells_item__model_keys:
                    data__cells_item__model_keys.remove('bytes')
                    data__cells_item__model__bytes = data__cells_item__model['bytes']
                    if not isinstance(data__cells_item__model__bytes, int) or isinstance(data__cells_item__model__bytes, bool):
                        raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].model.bytes' + ' must be integer')
                    if data__cells_item__model__bytes < 1:
                        raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].model.bytes' + ' must be bigger than or equal to 1')
                if data__cells_item__model_keys:
                    raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].model' + ' must not contain ' + str(data__cells_item__model_keys) + ' properties')
            if 'runtime' in data__cells_item_keys:
                data__cells_item_keys.remove('runtime')
                data__cells_item__runtime = data__cells_item['runtime']
                if not isinstance(data__cells_item__runtime, dict):
                    raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].runtime' + ' must be object')
                data__cells_item__runtime__missing_keys = set(['name', 'version', 'delegate', 'library', 'threads']) - data__cells_item__runtime.keys()
                if data__cells_item__runtime__missing_keys:
                    raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].runtime' + ' must contain ' + (str(sorted(data__cells_item__runtime__missing_keys)) + ' properties'))
                data__cells_item__runtime_keys = set(data__cells_item__runtime.keys())
                if 'name' in data__cells_item__runtime_keys:
                    data__cells_item__runtime_keys.remove('name')
                    data__cells_item__runtime__name = data__cells_item__runtime['name']
                    if not isinstance(data__cells_item__runtime__name, str):
                        raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].runtime.name' + ' must be string')
                    data__cells_item__runtime__name_len = len(data__cells_item__runtime__name)
                    if data__cells_item__runtime__name_len > 100:
                        raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].runtime.name' + ' must be shorter than or equal to 100 characters')
                if 'version' in data__cells_item__runtime_keys:
                    data__cells_item__runtime_keys.remove('version')
                    data__cells_item__runtime__version = data__cells_item__runtime['version']
                    if not isinstance(data__cells_item__runtime__version, str):
                        raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].runtime.version' + ' must be string')
                    data__cells_item__runtime__version_len = len(data__cells_item__runtime__version)
                    if data__cells_item__runtime__version_len > 100:
                        raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].runtime.version' + ' must be shorter than or equal to 100 characters')
                if 'delegate' in data__cells_item__runtime_keys:
                    data__cells_item__runtime_keys.remove('delegate')
                    data__cells_item__runtime__delegate = data__cells_item__runtime['delegate']
                    if not isinstance(data__cells_item__runtime__delegate, str):
                        raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].runtime.delegate' + ' must be string')
                    data__cells_item__runtime__delegate_len = len(data__cells_item__runtime__delegate)
                    if data__cells_item__runtime__delegate_len > 100:
                        raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].runtime.delegate' + ' must be shorter than or equal to 100 characters')
                if 'library' in data__cells_item__runtime_keys:
                    data__cells_item__runtime_keys.remove('library')
                    data__cells_item__runtime__library = data__cells_item__runtime['library']
                    if not isinstance(data__cells_item__runtime__library, (str, NoneType)):
                        raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].runtime.library' + ' must be string or null')
                    if isinstance(data__cells_item__runtime__library, str):
                        data__cells_item__runtime__library_len = len(data__cells_item__runtime__library)
                        if data__cells_item__runtime__library_len > 4200:
                            raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].runtime.library' + ' must be shorter than or equal to 4200 characters')
                if 'threads' in data__cells_item__runtime_keys:
                    data__cells_item__runtime_keys.remove('threads')
                    data__cells_item__runtime__threads = data__cells_item__runtime['threads']
                    if not isinstance(data__cells_item__runtime__threads, int) or isinstance(data__cells_item__runtime__threads, bool):
                        raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].runtime.threads' + ' must be integer')
                    if data__cells_item__runtime__threads < 1:
                        raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].runtime.threads' + ' must be bigger than or equal to 1')
            if 'warm_up' in data__cells_item_keys:
                data__cells_item_keys.remove('warm_up')
                data__cells_item__warmup = data__cells_item['warm_up']
                if not isinstance(data__cells_item__warmup, (list, tuple)):
                    raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].warm_up' + ' must be array')
                data__cells_item__warmup_len = len(data__cells_item__warmup)
                if data__cells_item__warmup_len > 1000:
                    raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].warm_up' + ' must contain less than or equal to 1000 items')
                for data__cells_item__warmup_x, data__cells_item__warmup_item in enumerate(data__cells_item__warmup):
                    if not isinstance(data__cells_item__warmup_item, int) or isinstance(data__cells_item__warmup_item, bool):
                        raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].warm_up[{data__cells_item__warmup_x}]' + ' must be integer')
            if 'quantities' in data__cells_item_keys:
                data__cells_item_keys.remove('quantities')
                data__cells_item__quantities = data__cells_item['quantities']
                if not isinstance(data__cells_item__quantities, dict):
                    raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities' + ' must be object')
                data__cells_item__quantities_len = len(data__cells_item__quantities)
                if data__cells_item__quantities_len < 1:
                    raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities' + ' must contain at least 1 properties')
                if data__cells_item__quantities_len > 200:
                    raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities' + ' must contain less than or equal to 200 properties')
                data__cells_item__quantities_keys = set(data__cells_item__quantities.keys())
                for data__cells_item__quantities_key in data__cells_item__quantities_keys:
                    if data__cells_item__quantities_key not in []:
                        data__cells_item__quantities_value = data__cells_item__quantities.get(data__cells_item__quantities_key)
                        if not isinstance(data__cells_item__quantities_value, dict):
                            raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities.{data__cells_item__quantities_key}' + ' must be object')
                        data__cells_item__quantities_value__missing_keys = set(['unit', 'value', 'low', 'high', 'runs', 'count', 'min', 'p50', 'p90', 'p99', 'spread']) - data__cells_item__quantities_value.keys()
                        if data__cells_item__quantities_value__missing_keys:
                            raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities.{data__cells_item__quantities_key}' + ' must contain ' + (str(sorted(data__cells_item__quantities_value__missing_keys)) + ' properties'))
                        data__cells_item__quantities_value_keys = set(data__cells_item__quantities_value.keys())
                        if 'unit' in data__cells_item__quantities_value_keys:
                            data__cells_item__quantities_value_keys.remove('unit')
                            data__cells_item__quantities_value__unit = data__cells_item__quantities_value['unit']
                            if not (isinstance(data__cells_item__quantities_value__unit, str) and data__cells_item__quantities_value__unit == 's' or (isinstance(data__cells_item__quantities_value__unit, str) and data__cells_item__quantities_value__unit == 'B') or (isinstance(data__cells_item__quantities_value__unit, str) and data__cells_item__quantities_value__unit == 'images/s')):
                                raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities.{data__cells_item__quantities_key}.unit' + " must be one of ['s', 'B', 'images/s']")
                        if 'value' in data__cells_item__quantities_value_keys:
                            data__cells_item__quantities_value_keys.remove('value')
                            data__cells_item__quantities_value__value = data__cells_item__quantities_value['value']
                            if not isinstance(data__cells_item__quantities_value__value, (int, float)) or isinstance(data__cells_item__quantities_value__value, bool):
                                raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities.{data__cells_item__quantities_key}.value' + ' must be number')
                            if data__cells_item__quantities_value__value <= 0:
                                raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities.{data__cells_item__quantities_key}.value' + ' must be bigger than 0')
                        if 'low' in data__cells_item__quantities_value_keys:
                            data__cells_item__quantities_value_keys.remove('low')
                            data__cells_item__quantities_value__low = data__cells_item__quantities_value['low']
                            if not isinstance(data__cells_item__quantities_value__low, (int, float, NoneType)) or isinstance(data__cells_item__quantities_value__low, bool):
                                raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities.{data__cells_item__quantities_key}.low' + ' must be number or null')
                            if isinstance(data__cells_item__quantities_value__low, (int, float)) and (not isinstance(data__cells_item__quantities_value__low, bool)):
                                if data__cells_item__quantities_value__low <= 0:
                                    raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities.{data__cells_item__quantities_key}.low' + ' must be bigger than 0')
                        if 'high' in data__cells_item__quantities_value_keys:
                            data__cells_item__quantities_value_keys.remove('high')
                            data__cells_item__quantities_value__high = data__cells_item__quantities_value['high']
                            if not isinstance(data__cells_item__quantities_value__high, (int, float, NoneType)) or isinstance(data__cells_item__quantities_value__high, bool):
                                raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities.{data__cells_item__quantities_key}.high' + ' must be number or null')
                            if isinstance(data__cells_item__quantities_value__high, (int, float)) and (not isinstance(data__cells_item__quantities_value__high, bool)):
                                if data__cells_item__quantities_value__high <= 0:
                                    raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities.{data__cells_item__quantities_key}.high' + ' must be bigger than 0')
                        if 'runs' in data__cells_item__quantities_value_keys:
                            data__cells_item__quantities_value_keys.remove('runs')
                            data__cells_item__quantities_value__runs = data__cells_item__quantities_value['runs']
                            if not isinstance(data__cells_item__quantities_value__runs, (list, tuple)):
                                raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities.{data__cells_item__quantities_key}.runs' + ' must be array')
                            data__cells_item__quantities_value__runs_len = len(data__cells_item__quantities_value__runs)
                            if data__cells_item__quantities_value__runs_len < 1:
                                raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities.{data__cells_item__quantities_key}.runs' + ' must contain at least 1 items')
                            if data__cells_item__quantities_value__runs_len > 1000:
                                raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities.{data__cells_item__quantities_key}.runs' + ' must contain less than or equal to 1000 items')
                            for data__cells_item__quantities_value__runs_x, data__cells_item__quantities_value__runs_item in enumerate(data__cells_item__quantities_value__runs):
                                if not isinstance(data__cells_item__quantities_value__runs_item, (int, float)) or isinstance(data__cells_item__quantities_value__runs_item, bool):
                                    raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities.{data__cells_item__quantities_key}.runs[{data__cells_item__quantities_value__runs_x}]' + ' must be number')
                                if data__cells_item__quantities_value__runs_item <= 0:
                                    raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities.{data__cells_item__quantities_key}.runs[{data__cells_item__quantities_value__runs_x}]' + ' must be bigger than 0')
                        if 'runs_p10' in data__cells_item__quantities_value_keys:
                            data__cells_item__quantities_value_keys.remove('runs_p10')
                            data__cells_item__quantities_value__runsp10 = data__cells_item__quantities_value['runs_p10']
                            if not isinstance(data__cells_item__quantities_value__runsp10, (list, tuple)):
                                raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities.{data__cells_item__quantities_key}.runs_p10' + ' must be array')
                            data__cells_item__quantities_value__runsp10_len = len(data__cells_item__quantities_value__runsp10)
                            if data__cells_item__quantities_value__runsp10_len < 1:
                                raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities.{data__cells_item__quantities_key}.runs_p10' + ' must contain at least 1 items')
                            if data__cells_item__quantities_value__runsp10_len > 1000:
                                raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities.{data__cells_item__quantities_key}.runs_p10' + ' must contain less than or equal to 1000 items')
                            for data__cells_item__quantities_value__runsp10_x, data__cells_item__quantities_value__runsp10_item in enumerate(data__cells_item__quantities_value__runsp10):
                                if not isinstance(data__cells_item__quantities_value__runsp10_item, (int, float)) or isinstance(data__cells_item__quantities_value__runsp10_item, bool):
                                    raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities.{data__cells_item__quantities_key}.runs_p10[{data__cells_item__quantities_value__runsp10_x}]' + ' must be number')
                                if data__cells_item__quantities_value__runsp10_item <= 0:
                                    raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities.{data__cells_item__quantities_key}.runs_p10[{data__cells_item__quantities_value__runsp10_x}]' + ' must be bigger than 0')
                        if 'count' in data__cells_item__quantities_value_keys:
                            data__cells_item__quantities_value_keys.remove('count')
                            data__cells_item__quantities_value__count = data__cells_item__quantities_value['count']
                            if not isinstance(data__cells_item__quantities_value__count, int) or isinstance(data__cells_item__quantities_value__count, bool):
                                raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities.{data__cells_item__quantities_key}.count' + ' must be integer')
                            if data__cells_item__quantities_value__count < 1:
                                raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities.{data__cells_item__quantities_key}.count' + ' must be bigger than or equal to 1')
                        if 'min' in data__cells_item__quantities_value_keys:
                            data__cells_item__quantities_value_keys.remove('min')
                            data__cells_item__quantities_value__min = data__cells_item__quantities_value['min']
                            if not isinstance(data__cells_item__quantities_value__min, (int, float)) or isinstance(data__cells_item__quantities_value__min, bool):
                                raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities.{data__cells_item__quantities_key}.min' + ' must be number')
                        if 'p50' in data__cells_item__quantities_value_keys:
                            data__cells_item__quantities_value_keys.remove('p50')
                            data__cells_item__quantities_value__p50 = data__cells_item__quantities_value['p50']
                            if not isinstance(data__cells_item__quantities_value__p50, (int, float)) or isinstance(data__cells_item__quantities_value__p50, bool):
                                raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities.{data__cells_item__quantities_key}.p50' + ' must be number')
                        if 'p90' in data__cells_item__quantities_value_keys:
                            data__cells_item__quantities_value_keys.remove('p90')
                            data__cells_item__quantities_value__p90 = data__cells_item__quantities_value['p90']
                            if not isinstance(data__cells_item__quantities_value__p90, (int, float)) or isinstance(data__cells_item__quantities_value__p90, bool):
                                raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities.{data__cells_item__quantities_key}.p90' + ' must be number')
                        if 'p99' in data__cells_item__quantities_value_keys:
                            data__cells_item__quantities_value_keys.remove('p99')
                            data__cells_item__quantities_value__p99 = data__cells_item__quantities_value['p99']
                            if not isinstance(data__cells_item__quantities_value__p99, (int, float)) or isinstance(data__cells_item__quantities_value__p99, bool):
                                raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities.{data__cells_item__quantities_key}.p99' + ' must be number')
                        if 'spread' in data__cells_item__quantities_value_keys:
                            data__cells_item__quantities_value_keys.remove('spread')
                            data__cells_item__quantities_value__spread = data__cells_item__quantities_value['spread']
                            if not isinstance(data__cells_item__quantities_value__spread, (int, float)) or isinstance(data__cells_item__quantities_value__spread, bool):
                                raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities.{data__cells_item__quantities_key}.spread' + ' must be number')
                        if data__cells_item__quantities_value_keys:
                            raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities.{data__cells_item__quantities_key}' + ' must not contain ' + str(data__cells_item__quantities_value_keys) + ' properties')
                if data__cells_item__quantities_len != 0:
                    data__cells_item__quantities_property_names = True
                    for data__cells_item__quantities_key in data__cells_item__quantities:
                        try:
                            if isinstance(data__cells_item__quantities_key, str):
                                if not REGEX_PATTERNS['^[a-z0-9_]{1,40}$'].search(data__cells_item__quantities_key):
                                    raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities' + ' must match pattern ^[a-z0-9_]{1,40}$')
                        except (InvalidError,):
                            data__cells_item__quantities_property_names = False
                    if not data__cells_item__quantities_property_names:
                        raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}].quantities' + ' must be named by propertyName definition')
            if data__cells_item_keys:
                raise InvalidError((name_prefix or 'data') + f'.cells[{data__cells_x}]' + ' must not contain ' + str(data__cells_item_keys) + ' properties')
    if data_keys:
        raise InvalidError((name_prefix or 'data') + ' must not contain ' + str(data_keys) + ' properties')
    return data
